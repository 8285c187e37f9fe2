"""The Compare tab as a visitor sees it: the search in two libraries of the same videos."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from app.session.services import Services
from indexer.ingest.build import build_library
from tests.app.conftest import Served, serving
from tests.app.page.test_browser_search import PHONE, set_slider
from tests.conftest import Once


@pytest.fixture(scope="session")
def energy(data: Path, once: Once) -> Path:
    """A library of the videos of ``data`` by energy; read only."""

    def build(folder: Path) -> None:
        build_library(data, index=folder / "energy", backbone="energy", device="cpu")

    return once("energy", build) / "energy"


@pytest.fixture(scope="module")
def compared(data: Path, energy: Path):
    """The app over both; whoever visits may search and nothing more."""
    with Services(data, device="cpu", others=(energy,)) as services, serving(services, strangers="viewer") as url:
        yield Served(url, services)


def column(page, side: str) -> list[str]:
    return [card.get_attribute("data-id") for card in page.locator(f"#compared-{side} li.card").all()]


def show(page) -> tuple[list[str], list[str]]:
    """Open the tab; the hits of both columns."""
    page.get_by_role("tab", name="Compare").click()
    expect(page.locator("#compared-theirs li.card")).to_have_count(12)
    return column(page, "ours"), column(page, "theirs")


def test_two_columns_say_what_one_library_alone_finds(compared: Served, open_page) -> None:
    page = open_page(compared.url)
    page.get_by_role("tab", name="Compare").click()
    expect(page.get_by_text("Search for a video first")).to_be_visible()
    page.get_by_role("tab", name="Search").click()
    page.locator("#examples .example").first.click()
    page.locator("#results li.card").first.wait_for()
    ours, theirs = show(page)
    assert ours != theirs
    common = set(ours) & set(theirs)
    expect(page.locator("#compare-summary")).to_contain_text(f"{len(common)} of the first 12 in common")
    for side, ids in (("ours", ours), ("theirs", theirs)):
        alone = page.locator(f"#compared-{side} li.card", has=page.locator(".chip.alone", has_text="only here"))
        assert [card.get_attribute("data-id") for card in alone.all()] == [id_ for id_ in ids if id_ not in common]
    expect(page.locator("#compared-theirs h2")).to_have_text("energy")
    page.locator("#compared-theirs .poster").first.click()
    page.locator("#compared-theirs video").wait_for()
    page.get_by_role("tab", name="Search").click()
    set_slider(page, "motion", 1)
    set_slider(page, "backbone", 0)
    page.wait_for_url("**&motion=1")
    assert show(page) != (ours, theirs)


def test_its_address_restores_it_and_a_hit_is_compared_next(compared: Served, open_page) -> None:
    first = compared.services.videos(limit=1)[0]
    page = open_page(f"{compared.url}?video={first.id}&split=train&motion=0.5&tab=compare&with=energy")
    expect(page.locator("#compared-theirs li.card")).to_have_count(12)
    before = column(page, "ours"), column(page, "theirs")
    expect(page.locator("#compare-summary")).to_contain_text(f"Videos like {Path(first.path).name}")
    chosen = before[1][3]
    page.locator("#compared-theirs li.card").nth(3).get_by_role("link", name="Compare what is found for").click()
    name = Path(compared.services.video(chosen).path).name
    expect(page.locator("#compare-summary")).to_contain_text(f"Videos like {name}")
    page.wait_for_url(f"**?video={chosen}&motion=0.5&split=train&tab=compare&with=energy")
    page.go_back()
    expect(page.locator("#compare-summary")).to_contain_text(f"Videos like {Path(first.path).name}")
    assert (column(page, "ours"), column(page, "theirs")) == before
    page = open_page(f"{compared.url}?video={first.id}&tab=compare&with=nothing")
    expect(page.locator("#compared-theirs li.card")).to_have_count(12)
    page.get_by_role("tab", name="Search").click()
    expect(page.get_by_role("alert")).to_contain_text("with: got none of the libraries to compare with here: energy")


def test_on_a_phone_one_column_stands_under_the_other(compared: Served, open_page) -> None:
    first = compared.services.videos(limit=1)[0]
    page = open_page(f"{compared.url}?video={first.id}&tab=compare", **PHONE)
    expect(page.locator("#compared-theirs li.card")).to_have_count(12)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    ours, theirs = (page.locator(f"#compared-{side}").bounding_box() for side in ("ours", "theirs"))
    assert ours["y"] + ours["height"] <= theirs["y"]


def test_without_another_library_the_tab_says_how_to_give_one(served: Served, open_page) -> None:
    page = open_page(f"{served.url}?tab=compare")
    expect(page.get_by_text("serve this one with --compare-with OTHER")).to_be_visible()
