"""``rspnet-index heatmap``: a picture or a film of why two videos match."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from indexer.cli.output import DeviceOption, JsonOption, print_json, say, show, warn_untrained
from rspnet_core.cli.command import OwnBackboneOption
from rspnet_core.errors import InvalidSetting, QueryNotFound

if TYPE_CHECKING:
    from rspnet_core.config import EncoderSpec
    from rspnet_core.models.two_head import EncoderModel


def heatmap(
    query: Annotated[str, typer.Argument(help="A video file; with --index also the id of an indexed video.")],
    match: Annotated[str, typer.Argument(help="Another one.")],
    out: Annotated[Path, typer.Option("--out", help=".png: the middle frame; .mp4 or .gif: all frames, slowed down.")],
    weights: Annotated[
        str | None, typer.Option(help="A .safetensors or official .pth.tar file, or official:resnet18.")
    ] = None,
    index: Annotated[
        Path | None, typer.Option("--index", help="A library: its own encoder is used, and its ids are understood.")
    ] = None,
    backbone: OwnBackboneOption = None,
    threshold: Annotated[float, typer.Option(help="Where rectangles begin, 0 to 1 of the colour scale.")] = 0.5,
    judge: Annotated[
        bool, typer.Option("--faithfulness", help="Hide what the maps mark, embed again, compare with random areas.")
    ] = False,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Show where two videos are alike, by motion and by appearance, in their most similar pair of clips.

    Example: [bold]rspnet-index heatmap a.mp4 b.mp4 --weights official:resnet18 --out why.png[/bold]
    """
    from indexer.heatmap.explain import explain_pair, faithfulness_of_both
    from indexer.heatmap.explanation import check_threshold
    from indexer.heatmap.figures import heatmap_document, heatmap_table
    from indexer.heatmap.files import check_output, write_heatmap
    from indexer.ingest.encoder import choose_device

    check_threshold(threshold)
    place = choose_device(device)
    model, spec, videos = _load(query, match, weights, index, backbone)
    check_output(out, *videos)
    explanation = explain_pair(model.to(place), spec, *videos)
    write_heatmap(explanation, out, threshold)
    judged = faithfulness_of_both(model, spec, explanation) if judge else None
    encoder = {"backbone": spec.backbone, "weights": spec.source, "trained": spec.trained}
    document = {"out": str(out), "encoder": encoder} | heatmap_document(explanation, threshold, judged)
    warn_untrained(encoder)
    spans = {"query": explanation.query.span_seconds, "match": explanation.match.span_seconds}
    say("most alike: " + ", ".join(f"{side} {start:.2f}-{end:.2f} s" for side, (start, end) in spans.items()))
    say(f"heat map: {out}")
    if as_json:
        print_json(document)
    else:
        show(heatmap_table(document))


def _load(
    query: str, match: str, weights: str | None, index: Path | None, backbone: str | None
) -> "tuple[EncoderModel, EncoderSpec, tuple[Path, Path]]":
    """The encoder, and the files of both videos."""
    from indexer.retrieval.library import Library
    from rspnet_core.weights.sources import load_encoder

    if ((weights or backbone) is None and index is None) or not (weights is None or index is None):
        raise InvalidSetting(
            f"got {'neither' if index is None else 'both'} of --weights and --index; give one: "
            "weights for two video files, or a library, whose encoder is used"
        )
    if index is None:
        return *load_encoder(weights, backbone), (_file(query), _file(match))
    with Library.open(index, device="cpu", backbone=backbone) as library:
        model, spec = library.load_network()
        return model, spec, (library.locate(query)[0], library.locate(match)[0])


def _file(text: str) -> Path:
    """The video file ``text``."""
    path = Path(text)
    if not path.exists():
        raise QueryNotFound(f"there is no file {text}; give a video file, or an id together with --index")
    return path
