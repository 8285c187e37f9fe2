"""The retrieval report, as `rspnet-index benchmark --report` writes it, shown inside the page.

The report is one page with its own style. Here its style and its sections go into a shadow root, where neither the
app's style nor the report's can reach the other, and its posters become links to the app's.
"""

import base64
import json
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.page.components import content
from app.serving.media import Media
from indexer.benchmark.scores import RetrievalScores
from rspnet_core.errors import QueryNotFound, VideoError


@dataclass(frozen=True)
class ReportPage:
    """One report in the forms in which it leaves the app."""

    html: str
    """The whole page, for a download."""
    json: str
    shown: str
    """The value of the component ``report``."""


def report_page(
    report: Mapping[str, Any], scores: RetrievalScores, media: Media, names: Mapping[str, str]
) -> ReportPage:
    """Write the report of ``Services.report``; ``names`` maps ids of videos to what people call them."""
    from indexer.benchmark.report import write_html  # matplotlib takes half a second of the app's start

    videos: dict[str, str] = {}  # picture to id

    def poster(video_id: str) -> bytes | None:
        try:
            jpeg = media.poster(video_id).read_bytes()
        except (OSError, QueryNotFound, VideoError):  # the file went away since it was indexed
            return None
        videos[base64.b64encode(jpeg).decode()] = video_id
        return jpeg

    with tempfile.TemporaryDirectory() as folder:
        page = write_html(report, scores, poster, Path(folder), names=names).read_text("utf-8")
    document = json.dumps(report, indent=2) + "\n"
    return ReportPage(html=page, json=document, shown=content(style=_style(page), sections=_sections(page, videos)))


def _style(page: str) -> str:
    """The report's style for a shadow root; its dark colours follow the app's theme, not the system's."""
    style = _between(page, "<style>", "</style>")
    style = style.replace("@media (prefers-color-scheme: dark)", "@media all")
    return style.replace(":root", ":host", 1).replace(":root", ":host(.dark)", 1)


def _sections(page: str, videos: Mapping[str, str]) -> str:
    def linked(match: re.Match[str]) -> str:
        video_id = videos[match[1]]
        return f'<img src="media/poster/{video_id}.jpg" loading="lazy" data-video="{video_id}"'

    return re.sub(r'<img src="data:image/jpeg;base64,([^"]+)"', linked, _between(page, "<main>", "</main>"))


def _between(text: str, start: str, end: str) -> str:
    return text.partition(start)[2].partition(end)[0]
