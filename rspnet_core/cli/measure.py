"""``rspnet-train speed`` and ``pretext``: what a step costs, and how well an encoder solves the pretext task."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from rspnet_core.cli.command import SOME_FAILED, OwnBackboneOption
from rspnet_core.cli.progress import shown_on
from rspnet_core.cli.training import log, parsed_settings
from rspnet_core.text import as_line, printable


def speed_command(
    recipe: Annotated[str, typer.Option(help="A recipe's name or a .toml file.")] = "sample-resnet18",
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="KEY=VALUE, replaces a setting of the recipe; repeatable.")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Steps of each kind to measure.")] = 10,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
) -> None:
    """Measure a pre-training step beside a plain transcription of Algorithm 1: time, memory, and the same result.

    Both take turns in processes of their own, on noise. What is timed is a whole step from decoded frames on:
    augmentation, losses, gradients, optimiser, momentum encoder and queue.

    Example: rspnet-train speed

    Example: rspnet-train speed --recipe k400-resnet18 --set batch_size=8 --steps 5 --json
    """
    from rspnet_core.bench.step_speed import compare_steps
    from rspnet_core.pretext.recipe import PretrainRecipe
    from rspnet_core.training.recipe_file import load_recipe

    chosen = load_recipe(PretrainRecipe, recipe, parsed_settings(settings))
    document = compare_steps(chosen, steps, device).document()
    if as_json:
        print(as_line(document))
        return
    print(
        f"{chosen.backbone}, batch {chosen.batch_size}, {chosen.frames_per_clip} frames of "
        f"{chosen.clip_size}x{chosen.clip_size} pixels: {steps} steps of each kind, in turn"
    )
    for kind, name in (("plain", "plain Algorithm 1"), ("rspnet", "rspnet")):
        seconds, held = document["median_seconds"][kind], document["peak_bytes"][kind] / 1e9
        print(f"  {name:<18} {seconds:8.3f} s a step (median), {held:6.2f} GB at most")
    rate = document["flops"] / document["median_seconds"]["rspnet"]
    print(f"  {document['flops'] / 1e9:.3g} GFLOP a step, rspnet at {rate / 1e9:.3g} GFLOP/s")
    print(
        f"  {document['speedup']:.2f}x as fast (median of pairs); relative difference of the loss "
        f"{document['loss_difference']:.1e}, of the gradients {document['gradient_difference']:.1e}"
    )


def _say(note: str) -> None:
    typer.echo(printable(f"note: {note}"), err=True)


def pretext_command(
    data: Annotated[Path, typer.Argument(help="A folder of videos that were not trained on.", show_default=False)],
    weights: Annotated[str, typer.Option(help="A run's model.safetensors, or an official checkpoint.")],
    list_files: Annotated[
        list[Path] | None,
        typer.Option("--list", help="A text file that names the videos to use, one a line; repeatable."),
    ] = None,
    triplets: Annotated[int, typer.Option(min=1, help="Triplets of clips a video.")] = 4,
    backbone: OwnBackboneOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
) -> None:
    """Measure the ranking of playback speeds (1x against 2x) on videos, without augmentation.

    On sample videos, whose truth is known, also what each head looks at: how often same motion, other texture comes
    before same look, other motion.

    Example: rspnet-train pretext heldout --weights runs/x/model.safetensors
    """
    from rspnet_core.errors import MissingHead
    from rspnet_core.models import TwoHeadModel
    from rspnet_core.pretext.evaluation import evaluate_pretext
    from rspnet_core.video.reading.sandbox import DecodePool
    from rspnet_core.weights.sources import load_encoder

    model, spec = load_encoder(weights, backbone)
    if not isinstance(model, TwoHeadModel):
        raise MissingHead(f"{weights} has no motion head to rank speeds by; use weights of an RSPNet model")
    with DecodePool(workers=1) as pool, shown_on(log) as progress:
        found = evaluate_pretext(
            model, spec, data, pool, list_files=list_files, triplets=triplets, say=_say, progress=progress
        )
    for path, reason in found.unreadable.items():
        print(printable(f"unreadable, left out: {path}: {reason}"), file=sys.stderr)
    if as_json:
        print(as_line(found.document()))
    else:
        low, high = found.interval()
        print(f"{len(found.ranked)} videos, {triplets} triplets each, {printable(spec.source)}")
        print(f"  speed ranking   {found.ranked.mean():.3f} ({low:.3f}-{high:.3f}); 0.5 is chance")
        for head, part in found.motion_before_look.items():
            print(f"  {head:<10} head: same motion before same look in {part:.3f} of the comparisons")
    if found.unreadable:
        raise typer.Exit(SOME_FAILED)
