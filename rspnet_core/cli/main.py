"""``rspnet-train``: the command line of rspnet_core. torch is imported inside the commands, so that help is instant."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rspnet_core.cli.ablation import ablation_command
from rspnet_core.cli.cache import cache_command
from rspnet_core.cli.command import OwnBackboneOption, commands, program, run
from rspnet_core.cli.compare_tasks import compare_tasks_command
from rspnet_core.cli.measure import pretext_command, speed_command
from rspnet_core.cli.motion_test import motion_test_command
from rspnet_core.cli.pretrain import curve_command, pretrain_command
from rspnet_core.cli.recipes import recipes_command, subset_command
from rspnet_core.cli.recognition import compare_command, evaluate_command, finetune_command, probe_command
from rspnet_core.cli.training import JsonOption
from rspnet_core.config import Pooling
from rspnet_core.errors import InvalidSetting
from rspnet_core.text import as_line, printable

if TYPE_CHECKING:
    from rspnet_core.config import EncoderSpec
    from rspnet_core.models import EncoderModel

app = program("Train RSPNet encoders and look after their weights.")
weights_app = commands("Import, inspect and download weights.")
app.command("cache")(cache_command)
app.command("pretrain")(pretrain_command)
app.command("finetune")(finetune_command)
app.command("evaluate")(evaluate_command)
app.command("probe")(probe_command)
app.command("compare")(compare_command)
app.command("ablation")(ablation_command)
app.command("curve")(curve_command)
app.command("recipes")(recipes_command)
app.command("subset-kinetics")(subset_command)
app.command("pretext")(pretext_command)
app.command("motion-test")(motion_test_command)
app.command("compare-tasks")(compare_tasks_command)
app.command("speed")(speed_command)
app.add_typer(weights_app, name="weights")


@weights_app.command("import")
def import_weights(
    file: Annotated[Path, typer.Argument(help="An official checkpoint (.pth.tar).", show_default=False)],
    out: Annotated[
        Path | None,
        typer.Option(help="The .safetensors to write; by default FILE's name in the same folder.", show_default=False),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Turn an official .pth.tar into our .safetensors, with a .json beside it that says what it is.

    The file is never unpickled unsafely; damaged, unknown or incomplete weights are refused.

    Example: rspnet-train weights import model_best_resnet18_200epoch.pth.tar --out resnet18.safetensors
    """
    from rspnet_core.weights.checkpoint import load_checkpoint, save_checkpoint

    if file.suffix == ".safetensors":
        raise InvalidSetting(f"{file} is in our format already; give an official .pth.tar file")
    target = out or file.with_name(file.name.removesuffix(".tar")).with_suffix(".safetensors")
    model, spec = load_checkpoint(file)
    save_checkpoint(model, spec, target)
    _show(_document(target, model, spec), as_json, f"wrote {target} and {target.with_suffix('.json').name}")


@weights_app.command("inspect")
def inspect_weights(
    file: Annotated[Path, typer.Argument(help="A .safetensors or official .pth.tar file.", show_default=False)],
    backbone: OwnBackboneOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check a weights file (hash, shapes, NaN) and say what is in it.

    Example: rspnet-train weights inspect resnet18.safetensors

    Example: rspnet-train weights inspect run/model.safetensors --json
    """
    from rspnet_core.weights.checkpoint import load_checkpoint

    model, spec = load_checkpoint(file, named_by_user=backbone)
    _show(_document(file, model, spec), as_json, f"{file} is complete")


@weights_app.command("halve")
def halve_weights(
    file: Annotated[Path, typer.Argument(help="A .safetensors file.", show_default=False)],
    out: Annotated[Path, typer.Option(help="The .safetensors to write.", show_default=False)],
    as_json: JsonOption = False,
) -> None:
    """Write weights in half precision (float16): half the size, vectors equal to four digits.

    Example: rspnet-train weights halve runs/motion/model.safetensors --out small.safetensors
    """
    from rspnet_core.weights.checkpoint import load_checkpoint, save_checkpoint

    model, spec = load_checkpoint(file)
    written = save_checkpoint(model.half(), spec, out)
    _show(_document(out, model, written), as_json, f"wrote {out} and {out.with_suffix('.json').name}")


@weights_app.command("export")
def export_weights(
    weights: Annotated[
        str, typer.Argument(help="A .safetensors or official file, or a name as of --weights.", show_default=False)
    ],
    onnx: Annotated[Path, typer.Option(help="The .onnx to write.", show_default=False)],
    pooling: Annotated[Pooling, typer.Option(help="Pooling of the backbone's part.")] = "max-mean",
    as_json: JsonOption = False,
) -> None:
    """Write an encoder as an ONNX file: frames in, features and the vectors of both heads out, any number of clips.

    The file is compared with PyTorch before it is kept. Needs rspnet[onnx].

    Example: rspnet-train weights export rspnet:small --onnx small.onnx
    """
    from rspnet_core.inference.onnx_export import export_onnx
    from rspnet_core.weights.sources import load_encoder

    outputs = export_onnx(*load_encoder(weights, None), onnx, pooling=pooling)
    shapes = "; ".join(f"{name} ({', '.join(map(str, shape))})" for name, shape in outputs.items())
    print(as_line({"file": str(onnx), "outputs": outputs}) if as_json else printable(f"wrote {onnx}: {shapes}"))


@weights_app.command("pull")
def pull_weights(
    name: Annotated[
        str,
        typer.Argument(
            help="official:c3d, official:resnet18, official:r2plus1d, official:s3dg or official:s3dg-1000.",
            show_default=False,
        ),
    ],
    as_json: JsonOption = False,
) -> None:
    """Download a published checkpoint to the cache, or go on with a download that was cut.

    The cache is $RSPNET_CACHE, by default ~/.cache/rspnet; $RSPNET_WEIGHTS_URL names a mirror.

    The file's hash is recorded at first use and checked ever after.

    Example: rspnet-train weights pull official:resnet18
    """
    from rspnet_core.weights.download import pull

    path = pull(name)
    print(as_line({"name": name, "file": str(path)}) if as_json else printable(str(path)))


def _document(file: Path, model: "EncoderModel", spec: "EncoderSpec") -> dict[str, Any]:
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return {"file": str(file), "parameters": parameters, "heads": sorted(model.heads), **spec.model_dump(mode="json")}


def _show(document: dict[str, Any], as_json: bool, summary: str) -> None:
    if as_json:
        print(as_line(document))
        return
    print(printable(summary))
    clips = document["geometry"]
    rate = f"{clips['fps']:g} fps" if clips["fps"] else "the video's own rate"
    lines = {
        "backbone": document["backbone"],
        "heads": ", ".join(document["heads"]) or "none",
        "parameters": f"{document['parameters']:,}",
        "clips": f"{clips['num_clips']} of {clips['frames_per_clip']} frames, step {clips['frame_step']}, "
        f"{clips['size']}x{clips['size']} pixels, at {rate}",
        "trained": {True: "yes", False: "no", None: "nothing to train"}[document["trained"]],
        "source": document["source"],
        "sha256": document["sha256"],
    }
    for name, value in lines.items():
        print(printable(f"  {name:<11} {value}"))


def main() -> None:
    """Entry point: a user's mistake is one line on stderr, Ctrl-C ends with 130."""
    run(app, "rspnet-train")
