"""``rspnet-train motion-test``: what an encoder knows of motion."""

from pathlib import Path
from typing import Annotated, Any

import typer

from rspnet_core.cli.progress import shown_on
from rspnet_core.cli.training import DeviceOption, JsonOption, log
from rspnet_core.text import as_line


def motion_test_command(
    run: Annotated[Path, typer.Argument(help="The folder of a run on a store of frames.", show_default=False)],
    stores: Annotated[
        list[Path], typer.Option("--store", help="A store of labelled videos; repeatable.", show_default=False)
    ],
    galleries: Annotated[
        list[Path] | None,
        typer.Option("--gallery", help="The store that the store in the same place searches; itself where none is."),
    ] = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Measure what an encoder knows of motion, on videos that it was not trained on.

    Retrieval leaves the query's own recording out (UCF101's names tell it), also of clips whose middle frame is
    repeated and of clips whose frames are shuffled; rendered motion programs against looks; playback speeds by the
    run's own read-outs.

    Example: rspnet-train motion-test runs/motion --store weizmann.store

    Example: rspnet-train motion-test runs/motion --store test.store --gallery train.store --json
    """
    from rspnet_core.pretext.motion_test import motion_test

    with shown_on(log) as progress:
        document = motion_test(run, stores, galleries or [], device, progress)
    if as_json:
        print(as_line(document))
        return
    for line in _lines(document):
        print(line)


def _lines(document: dict[str, Any]) -> list[str]:
    lines = []
    for store in document["stores"]:
        lines.append(
            f"{store['store']}: {store['videos']} videos, {store['against']}; % top-1 / top-5, centred in brackets"
        )
        for changed, parts in store["retrieval"].items():
            for part, found in parts.items():
                plain, less = found["plain"], found["centred"]
                lines.append(
                    f"  {changed:<9} {part:<18} {100 * plain['1']:5.1f} / {100 * plain['5']:5.1f}"
                    f"   ({100 * less['1']:5.1f} / {100 * less['5']:5.1f})"
                )
        speeds = ", ".join(f"{name} {value:.3f}" for name, value in store["speed"].items())
        lines.append(f"  speeds    {speeds}")
        programs = ", ".join(f"{name} {value:.3f}" for name, value in store["programs"].items())
        if programs:
            lines.append(f"  programs  {programs}")
    return lines
