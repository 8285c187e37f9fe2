"""Ticks on videos: the page's script keeps them from page to page, and sends their ids with what is done to them."""

import re
from html import escape

from rspnet_core.errors import InvalidSetting
from rspnet_core.text import printable

TICKED_JS = "window.rspnetTicks.ids()"
"""JavaScript: the ids of all ticked videos, apart by spaces."""
UNTICK_JS = "() => window.rspnetTicks.clear()"
"""JavaScript of an event after which nothing is ticked."""
_IDS = re.compile(r"(?:[0-9a-f]{16}(?: [0-9a-f]{16})*)?")


def tick(video_id: str, called: str) -> str:
    """The box of one video."""
    name = escape(printable(called))
    return f'<label class="tick"><input type="checkbox" data-tick="{video_id}" aria-label="Tick {name}"></label>'


def ticks_bar(shown: str) -> str:
    """How many are ticked, and a box for all of the page; ``shown`` selects the element that holds their boxes."""
    return (
        f'<div class="ticks-bar" data-of="{escape(shown)}"><label>'
        '<input type="checkbox" data-tick-all> All on this page</label>'
        '<span class="ticked" role="status">Nothing ticked</span>'
        '<button type="button" data-untick hidden>Untick all</button></div>'
    )


def ids_of(ticked: str) -> list[str]:
    """The ids that ``TICKED_JS`` gave, each once. Raises InvalidSetting for what are none."""
    if not _IDS.fullmatch(ticked):
        raise InvalidSetting("the ticked videos are not ids; open the page anew")
    return list(dict.fromkeys(ticked.split()))
