"""``rspnet-index playback``: whether a library's encoder tells faster from slower."""

from dataclasses import asdict
from functools import partial
from typing import Annotated

import typer

from indexer.cli.output import DeviceOption, IndexOption, JsonOption, log, print_json, say
from rspnet_core.cli.command import OwnBackboneOption
from rspnet_core.cli.progress import shown_on


def playback(
    index: IndexOption,
    videos: Annotated[int, typer.Option(help="Videos to measure at most.", min=10)] = 200,
    backbone: OwnBackboneOption = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Learn from a library's own videos, replayed at twice the speed, what is faster; then `search --speed` obeys.

    Each of the videos is read and embedded at both speeds. What is found is kept with the library.

    Example: [bold]rspnet-index playback --index demo[/bold]
    """
    from indexer.retrieval.library import Library
    from indexer.retrieval.playback import measure_playback
    from indexer.retrieval.speed import check_can_keep

    with Library.open(index, device=device, backbone=backbone) as library, shown_on(log) as progress:
        check_can_keep(library.place.folder)
        found = measure_playback(library, most=videos, advance=partial(progress, "replayed"))
        found.write(library.place.folder)
    if as_json:
        document = asdict(found) | {"tells": found.tells}
        print_json({name: value for name, value in document.items() if name != "direction"})
    say(f"the encoder {found}: search --speed {'may be used' if found.tells else 'stays off, as this may be chance'}")
