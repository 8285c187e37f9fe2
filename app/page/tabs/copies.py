"""The Library tab's copies: which videos are copies of one another, and which of them leak from one side of a split."""

from collections.abc import Sequence
from html import escape

from app.session.services import Services
from indexer.catalogue.catalogue import VideoRow
from indexer.retrieval.copies import known_copies, on_both_sides, was_compared
from rspnet_core.text import printable

_SHOWN = 50
_BY_CONTENT = (
    "<p>So far only files of the same content are known. <code>rspnet-index duplicates</code> finds those of the same "
    "footage too: in other sizes and containers, cropped, cut.</p>"
)
_LEAK = "on both sides of a split: what is learnt from one is no test of the other"


def copies_card(services: Services) -> str:
    """The groups, folded away; HTML, empty where no copies are known."""
    library = services.library if services.encoder else None
    groups = known_copies(library) if library else []
    if library is None or not groups:
        return ""
    leaking = sum(map(on_both_sides, groups))
    leaks = f", {leaking:,} on both sides of a split" if leaking else ""
    noun = "group" if len(groups) == 1 else "groups"
    # What leaks first: it is what says something wrong of an encoder.
    shown = sorted(groups, key=on_both_sides, reverse=True)[:_SHOWN]
    rows = "".join(map(_row, shown))
    more = f"<p>and {len(groups) - _SHOWN:,} more</p>" if len(groups) > _SHOWN else ""
    hint = "" if was_compared(library) else _BY_CONTENT
    return (
        f'<details class="copies-known"><summary>{len(groups):,} {noun} of copies, {sum(map(len, groups)):,} videos'
        f"{leaks}</summary>{hint}<ul>{rows}</ul>{more}</details>"
    )


def _row(group: Sequence[VideoRow]) -> str:
    leak = f' <strong class="leak">{_LEAK}</strong>' if on_both_sides(group) else ""
    return f"<li>{', '.join(escape(printable(video.path)) for video in group)}{leak}</li>"
