"""``rspnet-train cache``: videos decoded once, for training that is not to wait for decoders."""

from pathlib import Path
from typing import Annotated

import typer

from rspnet_core.cli.command import INTERRUPTED, SOME_FAILED
from rspnet_core.cli.progress import shown_on
from rspnet_core.cli.training import JsonOption, WorkersOption, log
from rspnet_core.text import as_line, printable


def _say(note: str) -> None:
    log.print(printable(f"note: {note}"), markup=False, soft_wrap=True)


def cache_command(
    data: Annotated[list[Path], typer.Argument(help="Folders of videos.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", help="The store's folder, new.", show_default=False)],
    list_files: Annotated[
        list[Path] | None,
        typer.Option("--list", help="A text file that names the videos to use, one a line; repeatable."),
    ] = None,
    side: Annotated[int, typer.Option(min=16, max=512, help="Side of the stored frames in pixels.")] = 128,
    fps: Annotated[float, typer.Option(min=0, max=240, help="Frames a second; 0 takes them as recorded.")] = 25,
    max_frames: Annotated[int, typer.Option(min=1, max=4096, help="Of a longer video the middle is taken.")] = 1500,
    workers: WorkersOption = None,
    as_json: JsonOption = False,
) -> None:
    """Decode videos once into a store of small frames, which `rspnet-train pretrain` reads as fast as it computes.

    Where several folders are given, their names stand before the paths; --list is for one folder. Stopped or killed,
    the same command goes on.

    Example: rspnet-train cache ucf101 --list trainlist01.txt --out ucf101.store

    Example: rspnet-train cache archive holidays --out all.store --side 96
    """
    from rspnet_core.config import WholeVideo
    from rspnet_core.cores import usable_cores
    from rspnet_core.errors import InvalidSetting
    from rspnet_core.video.datasets.listed import listed_videos
    from rspnet_core.video.reading.sandbox import DecodePool
    from rspnet_core.video.store.write import write_store

    names = [folder.resolve().name for folder in data]
    if len(set(names)) < len(names) or (len(data) > 1 and list_files):
        raise InvalidSetting("several folders need different names and no --list; cache them one by one")
    files = {
        path if len(data) == 1 else f"{name}/{path}": folder / path
        for name, folder in zip(names, data, strict=True)
        for path in listed_videos(folder, list_files or [], _say)
    }
    wanted = WholeVideo(frame_size=side, fps=fps or None, max_frames=max_frames)
    try:
        with DecodePool(workers or usable_cores()) as pool, shown_on(log) as progress:
            index, unreadable = write_store(files, out, wanted, pool, progress=progress)
    except KeyboardInterrupt:
        log.print("stopped; the same command goes on where it was")
        raise typer.Exit(INTERRUPTED) from None
    num_bytes = sum((out / shard.file).stat().st_size for shard in index.shards)
    for path, reason in unreadable.items():
        log.print(printable(f"unreadable, left out: {path}: {reason}"), markup=False, soft_wrap=True)
    if as_json:
        document = {
            "store": str(out),
            "videos": len(index.videos),
            "frames": index.num_frames,
            "bytes": num_bytes,
            "unreadable": [{"path": path, "reason": reason} for path, reason in unreadable.items()],
        }
        print(as_line(document))
    else:
        line = f"{len(index.videos)} videos, {index.num_frames} frames, {num_bytes / 1e6:.1f} MB in {out}"
        print(printable(line))
    if unreadable:
        raise typer.Exit(SOME_FAILED)
