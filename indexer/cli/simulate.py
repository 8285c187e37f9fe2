"""``rspnet-index simulate``: a library of a given size without any video."""

from pathlib import Path
from typing import Annotated

import typer

from indexer.cli.output import IndexTypeOption, JsonOption, print_json, say


def simulate(
    videos: Annotated[int, typer.Option("--videos", help="How many the library holds afterwards.", min=1)],
    index: Annotated[Path, typer.Option("--index", help="A new folder, or a library that this command made.")],
    index_type: IndexTypeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fill a library with clustered synthetic vectors, to measure search and publishing at any size.

    Its videos have ids to search by, and no files.

    Example: [bold]rspnet-index simulate --videos 100000 --index big[/bold]
    """
    from indexer.ingest.simulate import simulate_library

    document = simulate_library(index, videos, index_type)
    example = document["examples"][0]
    say(
        f"{document['videos']} videos, {document['added']} new, in {document['seconds']:.1f} s; "
        f"next: rspnet-index search {example} --index {index}"
    )
    if as_json:
        print_json(document)
