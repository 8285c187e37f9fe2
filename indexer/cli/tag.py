"""``rspnet-index tag``: names that people give to videos, to search among them."""

from typing import Annotated

import typer
from rich.text import Text

from indexer.cli.output import IndexOption, JsonOption, print_json, say, show
from rspnet_core.cli.command import commands
from rspnet_core.text import counted

app = commands("Give videos names of your own, and list them.")
TagArgument = Annotated[str, typer.Argument(help="1 to 40 characters.", show_default=False)]
VideosArgument = Annotated[
    list[str], typer.Argument(help="Ids of videos, or files of the library.", show_default=False)
]


@app.command("add")
def tag_add(tag: TagArgument, videos: VideosArgument, index: IndexOption) -> None:
    """Give videos a tag. It stays with their content: renamed, moved or embedded anew they keep it.

    Example: [bold]rspnet-index tag add "to check" demo/Spin/v_Spin_g01_c01.mp4 --index demo[/bold]
    """
    _change(tag, videos, index, on=True)


@app.command("remove")
def tag_remove(tag: TagArgument, videos: VideosArgument, index: IndexOption) -> None:
    """Take a tag off videos.

    Example: [bold]rspnet-index tag remove "to check" demo/Spin/v_Spin_g01_c01.mp4 --index demo[/bold]
    """
    _change(tag, videos, index, on=False)


@app.command("list")
def tag_list(index: IndexOption, as_json: JsonOption = False) -> None:
    """List the tags of a library, with how many of its videos have each.

    Example: [bold]rspnet-index tag list --index demo[/bold]
    """
    from indexer.cli.tables import plain_table
    from indexer.retrieval.library import Library
    from indexer.retrieval.tagging import tags_document

    with Library.open(index, device="cpu") as library:
        document = tags_document(library)
    if as_json:
        print_json(document)
        return
    table = plain_table(None)
    table.add_column("tag")
    table.add_column("videos", justify="right")
    for each in document["tags"]:
        table.add_row(Text(each["tag"]), Text(f"{len(each['videos']):,}"))
    if document["tags"]:
        show(table)
    else:
        say("no tags yet; `rspnet-index tag add` gives them")


def _change(tag: str, videos: list[str], index: IndexOption, *, on: bool) -> None:
    from indexer.retrieval.library import Library
    from indexer.retrieval.tagging import tag_videos

    with Library.open(index, device="cpu") as library:
        changed = tag_videos(library, tag, videos, on=on)
    say(f"{changed} of {counted(len(videos), 'video')} {'got' if on else 'lost'} the tag {tag.strip()!r}")
