"""How much of the accuracy is copies: queries that find nothing but another file of themselves first."""

from collections.abc import Sequence
from typing import Any

from indexer.benchmark.ranking import QueryResult
from indexer.catalogue.catalogue import VideoRow


def found_copies(
    results: Sequence[QueryResult], groups: Sequence[Sequence[VideoRow]], *, by_footage: bool
) -> dict[str, Any]:
    """What a report says of copies.

    Args:
        results: of the queries, at least one.
        groups: copies of one another, two or more each; a video is in one group at most.
        by_footage: whether these hold videos of the same footage, and not files of the same content alone.

    Returns:
        ``by``: ``content`` or ``footage``; ``queries``: how many find a copy of themselves first; ``top_1``: the part
        of all queries, 0 to 1, whose first hit is right and a copy.
    """
    group_of = {video.id: number for number, group in enumerate(groups) for video in group}
    copied = [
        result.hits[0].correct
        for result in results
        if result.hits and result.id in group_of and group_of.get(result.hits[0].id) == group_of[result.id]
    ]
    return {
        "by": "footage" if by_footage else "content",
        "queries": len(copied),
        "top_1": sum(copied) / len(results),
    }
