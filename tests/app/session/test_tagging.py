"""Tagging from the page: by editors alone, shown as text, exported, and obeyed by the page's filters at once."""

import json
from pathlib import Path

import pytest

from app.page.tabs.cards import results
from app.serving.visitors import Visitor
from app.session.colouring import colourings
from app.session.exports import export
from app.session.services import Services
from app.session.upkeep import tag
from indexer.retrieval.filters import Filters
from indexer.retrieval.search import PartWeights
from rspnet_core.errors import InvalidSetting, NotAllowed, NothingMatches
from tests.app.conftest import EDITOR

VIEWER = Visitor("f" * 32, "viewer")
HOSTILE = "<img src=x onerror=alert(1)>"


def test_editors_tag_and_the_page_obeys_at_once(own_library: Path) -> None:
    with Services(own_library, device="cpu") as services:
        ids = [video.id for video in services.videos()]
        with pytest.raises(NotAllowed):
            tag(services, VIEWER, ids, "x", on=True)
        for wrong in ([], ["0123456789abcdef"]):
            with pytest.raises(InvalidSetting, match="tick the videos first"):
                tag(services, EDITOR, wrong, "x", on=True)
        filters, query = Filters(tag=HOSTILE), services.stored(ids[0])
        with pytest.raises(NothingMatches, match="no tag"):
            services.rank(query, PartWeights(), filters)
        assert tag(services, EDITOR, ids[:2], HOSTILE, on=True) == 2
        page = services.rank(query, PartWeights(), filters)
        assert {hit.id for hit in page.hits} == set(ids[:2])
        assert "<img src=x" not in results(page, can_explain=False)
        assert "&lt;img src=x onerror=alert(1)&gt;" in results(page, can_explain=False)
        videos = services.opened.videos
        assert {each.name: each.kinds for each in colourings(services.opened, videos)}["tag"] == [HOSTILE]
        written = json.loads(Path(export(services, EDITOR, ids, "json")).read_text())["videos"]
        assert {row["id"] for row in written if row["tags"] == HOSTILE} == set(ids[:2])
        assert tag(services, EDITOR, ids, HOSTILE, on=False) == 2
        with pytest.raises(NothingMatches, match="no tag"):
            services.rank(query, PartWeights(), filters)
