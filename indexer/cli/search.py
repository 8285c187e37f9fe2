"""``rspnet-index search``: the videos most like a question."""

from typing import Annotated, Literal

import typer

from indexer.cli.filter_options import (
    AddedSinceOption,
    FolderOption,
    LabelOption,
    LeaveOutOption,
    MaxMbOption,
    MaxSecondsOption,
    MinMbOption,
    MinSecondsOption,
    SinceOption,
    SplitOption,
    TagOption,
    UntilOption,
)
from indexer.cli.output import DeviceOption, IndexOption, JsonOption, print_json, say, show, warn_untrained
from indexer.retrieval.chance import DEFAULT_RATE
from rspnet_core.cli.command import OwnBackboneOption


def search(
    query: Annotated[str, typer.Argument(help="A video file, or the id of an indexed video.")],
    index: IndexOption,
    top: Annotated[int, typer.Option(help="How many hits.", min=1)] = 5,
    motion: Annotated[float | None, typer.Option(help="Weight of the motion (RSP) vectors; default 0.")] = None,
    appearance: Annotated[
        float | None, typer.Option(help="Weight of the appearance vectors (A-VID); default 0.")
    ] = None,
    backbone_weight: Annotated[float | None, typer.Option(help="Weight of the backbone's vectors; default 1.")] = None,
    look_of: Annotated[
        str | None,
        typer.Option(
            help="Hits move like the query and look like this file or id; motion and appearance then weigh 1."
        ),
    ] = None,
    like: Annotated[list[str] | None, typer.Option(help="A further file or id to be like; repeatable.")] = None,
    unlike: Annotated[list[str] | None, typer.Option(help="A file or id to be less like; repeatable.")] = None,
    start: Annotated[float | None, typer.Option(help="Query by a segment: its start in seconds.")] = None,
    end: Annotated[float | None, typer.Option(help="Its end in seconds.")] = None,
    moments: Annotated[bool, typer.Option("--moments", help="Show the best matching moment of each hit.")] = False,
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
    leave_out: LeaveOutOption = None,
    tag: TagOption = None,
    save: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Write the hits to a .csv, .parquet, .json, .txt (for FFmpeg) or .html (pictures); links to FOLDER/.",
        ),
    ] = None,
    false_alarms: Annotated[
        float, typer.Option(help="Share of unrelated pairs that may score above the line of what is unusual.")
    ] = DEFAULT_RATE,
    speed: Annotated[
        Literal["faster", "slower"] | None, typer.Option(help="What is so first; see rspnet-index playback.")
    ] = None,
    backbone: OwnBackboneOption = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Find the videos most like a video, a segment of it, or an indexed video.

    Scores are the weighted mean of the parts' cosines: 1 is the same video. How rare one is, "pairs below" says: the
    share of the library's pairs of videos that are less alike. By motion alone:
    [bold]rspnet-index search clip.mp4 --index demo --motion 1 --backbone-weight 0[/bold]. What moves like one video and
    looks like another: [bold]rspnet-index search runner.mp4 --look-of snow.mp4 --index demo[/bold]
    """
    from indexer.cli.tables import hits_table
    from indexer.retrieval.composition import Examples
    from indexer.retrieval.library import Library
    from indexer.retrieval.search import usual_weights

    others = Examples(look_of=look_of, like=tuple(like or ()), unlike=tuple(unlike or ()))
    weights = usual_weights(others.composition, backbone=backbone_weight, motion=motion, appearance=appearance)
    if save is not None:  # what it needs takes a while to load
        from indexer.retrieval.saving import check_target, save_hits

        check_target(save)
    with Library.open(index, device=device, backbone=backbone) as library:
        result = library.search(
            query,
            top=top,
            weights=weights,
            start_seconds=start,
            end_seconds=end,
            moments=moments,
            label=label,
            split=split,
            folder=folder,
            look_of=others.look_of,
            like=others.like,
            unlike=others.unlike,
            false_alarms=false_alarms,
            min_seconds=min_seconds,
            max_seconds=max_seconds,
            min_mb=min_mb,
            max_mb=max_mb,
            since=since,
            until=until,
            added_since=added_since,
            leave_out=leave_out,
            tag=tag,
            speed=speed,
        )
        if save is not None:
            say(f"hits saved in {save}: {save_hits(library, result, save)}")
        warn_untrained(library.record.description)
    if as_json:
        print_json(result.to_json())
    else:
        show(hits_table(result))
