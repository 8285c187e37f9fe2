"""A library whose encoder has a classifier shows its answers; names of classes come from weights and do nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from gradio_client import Client, handle_file
from playwright.sync_api import expect

from app.session.services import Services
from indexer.ingest.build import build_library
from tests.app.conftest import Served, serving
from tests.conftest import save_classifier

HOSTILE = "<b>Jump</b><img src=x onerror=document.title=1> ${1+1} {{name}}\u202e"
SHOWN = HOSTILE.replace("\u202e", r"\u202e")


@pytest.fixture(scope="module")
def classifying(four_videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The app over a library of four videos whose encoder takes each for ``HOSTILE``."""
    folder = tmp_path_factory.mktemp("classifying")
    weights = save_classifier(folder / "tuned.safetensors", ["Bounce", HOSTILE], always=1)
    build_library(four_videos, index=folder / "index", weights=str(weights), device="cpu")
    with Services(folder / "index", device="cpu") as services, serving(services) as url:
        yield Served(url, services)


@pytest.mark.slow
def test_cards_and_query_show_the_class_as_text(classifying: Served, open_page, new_video: Path) -> None:
    page = open_page(classifying.url)
    page.locator("#query-video input[type=file]").set_input_files(new_video)
    expect(page.locator("#results li.card .predicted")).to_have_count(4)
    expect(page.locator("#results li.card .predicted").first).to_have_text(f"predicted {SHOWN} 99%")
    expect(page.locator("#query .predicted")).to_have_text(f"predicted {SHOWN} 99%")
    assert page.locator("#results b, #query b, img[src=x]").count() == 0
    page.locator("#results").get_by_role("button", name="Search for videos like").first.click()
    page.locator("#query").get_by_text("video of this library").wait_for()
    expect(page.locator("#query .predicted")).to_have_text(f"predicted {SHOWN} 99%")
    assert page.title() != "1"


def test_search_by_program_carries_the_class(classifying: Served, new_video: Path) -> None:
    client = Client(classifying.url, verbose=False)
    expected = {"class": SHOWN, "probability": pytest.approx(0.9933, abs=1e-4)}  # 1 / (1 + exp(-5))
    by_file = client.predict(file=handle_file(str(new_video)), api_name="/search")
    by_id = client.predict(video_id=by_file["hits"][0]["id"], api_name="/search")
    for found in (by_file, by_id):
        assert found["query"]["predicted"] == expected
        assert [hit["predicted"] for hit in found["hits"]] == [expected] * 4
        assert found["encoder"]["classes"] == 2


@pytest.mark.slow
def test_without_a_classifier_nothing_is_predicted(served: Served, open_page) -> None:
    page = open_page(served.url)
    page.locator("#examples .example").first.click()
    page.locator("#results li.card").first.wait_for()
    assert page.locator(".predicted").count() == 0
    video_id = served.services.videos(limit=1)[0].id
    found = Client(served.url, verbose=False).predict(video_id=video_id, api_name="/search")
    assert not any("predicted" in described for described in (found["query"], *found["hits"]))
