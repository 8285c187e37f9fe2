"""Hits as a notebook shows them."""

import base64
import re
import shutil
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import pytest
from pandas import isnull
from PIL import Image

from indexer.ingest.build import build_library
from indexer.retrieval.library import Library
from indexer.retrieval.search import PartWeights

HOSTILE = "<img src=x onerror=alert(1)> {0} \x1b[31m\u202e.mp4"


class Page(HTMLParser):
    """Its tags with their attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_notebook_shows_a_picture_of_each_hit_and_asks_no_server(built: Path, sample_videos: Path) -> None:
    with Library.open(built, device="cpu") as library:
        found = library.search(next(library.catalogue.videos()).id, top=3, weights=PartWeights(motion=1), moments=True)
    page = Page(found._repr_html_())
    pictures = [attributes["src"] or "" for tag, attributes in page.tags if tag == "img"]
    assert len(pictures) == 3
    for address in pictures:
        kind, _, jpeg = address.partition(";base64,")
        assert kind == "data:image/jpeg"
        with Image.open(BytesIO(base64.b64decode(jpeg))) as picture:
            assert picture.height == 120
    assert {tag for tag, _ in page.tags} == {"p", "div", "figure", "figcaption", "b", "br", "img"}
    assert "by backbone 50%, motion 50%" in page.text
    for rank, hit in enumerate(found, start=1):
        assert f"{rank}. {Path(hit.path).name}" in page.text
        assert f"score {hit.score:.3f}" in page.text
        assert f"{hit.start_seconds:.1f} to {hit.end_seconds:.1f} s" in page.text


def test_names_are_text_and_a_file_that_is_gone_has_no_picture(
    few_videos: Path, tmp_path: Path, small_weights: Path
) -> None:
    first, second, *others = sorted(few_videos.rglob("*.mp4"))
    shutil.move(first, first.with_name(HOSTILE))
    build_library(few_videos, weights=str(small_weights), device="cpu")
    with Library.open(few_videos, device="cpu") as library:
        found = library.search(second, top=4)
    second.unlink()
    page = Page(found._repr_html_())
    assert [tag for tag, _ in page.tags].count("img") == 1 + len(others)
    assert not any("onerror" in attributes for _, attributes in page.tags)
    assert "<img src=x onerror=alert(1)> {0}" in page.text
    assert not re.search("[\x1b\u202e]", page.text)
    assert "no picture" in page.text


def test_a_table_has_the_fields_of_the_document(built: Path) -> None:
    with Library.open(built, device="cpu") as library:
        found = library.search(next(library.catalogue.videos()).id, top=5)
    table = found.to_pandas()
    for row, hit in zip(table.to_dict("records"), found.to_json()["hits"], strict=True):
        nested = {name for name, value in hit.items() if isinstance(value, dict)}
        flat = {name: value for name, value in hit.items() if name not in nested}
        flat |= {f"{name}_{key}": value for name in nested for key, value in hit[name].items()}
        present = {name: None if isnull(value) else value for name, value in row.items()}  # pandas has NaN for None
        assert present == pytest.approx(flat)
