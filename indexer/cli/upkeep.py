"""Commands of ``rspnet-index`` that look after a library: info, verify, repair, remove, export, roots."""

from pathlib import Path
from typing import Annotated

import typer

from indexer.cli.filter_options import (
    AddedSinceOption,
    FolderOption,
    LabelOption,
    MaxMbOption,
    MaxSecondsOption,
    MinMbOption,
    MinSecondsOption,
    SinceOption,
    SplitOption,
    TagOption,
    UntilOption,
)
from indexer.cli.output import IndexOption, JsonOption, print_json, say, show
from rspnet_core.text import counted


def info(index: IndexOption, as_json: JsonOption = False) -> None:
    """Say what a library holds: videos, failures, encoder, generation.

    Example: [bold]rspnet-index info --index demo[/bold]
    """
    from indexer.cli.tables import info_table
    from indexer.retrieval.library import Library

    with Library.open(index, device="cpu") as library:
        document = library.info()
        noted = [] if as_json else library.catalogue.failed() + library.catalogue.partial()
    if as_json:
        print_json(document)
    else:
        show(info_table(document, noted))


def verify(
    index: IndexOption,
    deep: Annotated[bool, typer.Option("--deep", help="Read every vector, not a sample.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Check the catalogue and the published files against their hashes; exit code 1 when something is wrong.

    Example: [bold]rspnet-index verify --index demo --deep[/bold]
    """
    from indexer.retrieval.maintenance import verify_library

    verdict = verify_library(index, deep=deep)
    if as_json:
        print_json(verdict.to_json())
    for note in verdict.notes:
        say(f"note: {note}")
    for problem in verdict.problems:
        say(f"problem: {problem}")
    if verdict.problems:
        raise typer.Exit(1)
    say(f"sound: {counted(verdict.videos, 'video')}")


def repair(index: IndexOption, as_json: JsonOption = False) -> None:
    """Publish the index anew from the catalogue; drops videos with damaged vectors for the next build to embed.

    Example: [bold]rspnet-index repair --index demo[/bold]
    """
    from indexer.retrieval.maintenance import repair_library

    dropped = repair_library(index)
    say(f"published anew; {counted(len(dropped), 'damaged video')} dropped")
    if as_json:
        print_json({"dropped": dropped})


def remove(
    index: IndexOption,
    videos: Annotated[list[str] | None, typer.Argument(help="Ids, or paths of videos or folders.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Empty the library.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Take videos out of the library; no file is touched, and a later build adds those still in the folder.

    Example: [bold]rspnet-index remove Bounce/v_Bounce_g01_c01.mp4 Spin --index demo[/bold]

    Example: [bold]rspnet-index remove --all --index demo[/bold]
    """
    from indexer.retrieval.maintenance import remove_videos

    removed = remove_videos(index, videos or [], everything=everything)
    say(f"{counted(removed, 'video')} removed")
    if as_json:
        print_json({"removed": removed})


def export(
    out_folder: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for vectors.npy, clips.npy, *.parquet.")],
    index: IndexOption,
    label: LabelOption = None,
    split: SplitOption = None,
    folder: FolderOption = None,
    min_seconds: MinSecondsOption = None,
    max_seconds: MaxSecondsOption = None,
    min_mb: MinMbOption = None,
    max_mb: MaxMbOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    added_since: AddedSinceOption = None,
    tag: TagOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write vectors as .npy and all that is known of the videos as Parquet, rows in the same order.

    Example: [bold]rspnet-index export vectors --index demo --label Spin --min-seconds 2[/bold]
    """
    from indexer.retrieval.bounds import read_date
    from indexer.retrieval.export import export_library
    from indexer.retrieval.filters import Filters
    from indexer.retrieval.library import Library

    filters = Filters(
        label=label,
        split=split,
        folder=folder,
        min_seconds=min_seconds,
        max_seconds=max_seconds,
        min_mb=min_mb,
        max_mb=max_mb,
        since=read_date("since", since),
        until=read_date("until", until),
        added_since=read_date("added_since", added_since),
        tag=tag,
    )
    with Library.open(index, device="cpu") as library:
        document = export_library(library, out_folder, filters)
    say(f"{counted(document['videos'], 'video')} in {out_folder}")
    if as_json:
        print_json(document)


def roots(
    index: IndexOption,
    rename: Annotated[
        tuple[Path, Path] | None, typer.Option(help="OLD NEW: the folder OLD lies at NEW now; its videos stay.")
    ] = None,
    drop: Annotated[list[Path] | None, typer.Option(help="A folder that leaves the library; repeatable.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the data folders of a library; rename one that has moved, or drop one with its videos. No file is touched.

    Example: [bold]rspnet-index roots --index demo[/bold]

    Example: [bold]rspnet-index roots --index library --rename /old/videos /new/videos[/bold]
    """
    from indexer.cli.tables import folders_table
    from indexer.ingest.roots import change_folders, data_folders, folders_document

    found = change_folders(index, rename=rename, drop=drop or []) if rename or drop else data_folders(index)
    if as_json:
        print_json(folders_document(found))
    else:
        show(folders_table(found))
