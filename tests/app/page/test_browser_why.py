import math
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image
from playwright.sync_api import Page, expect

from app.page.pairs import best_cell, clip_similarities
from app.session.services import Services
from indexer.retrieval.search import PartWeights
from tests.app.conftest import Served
from tests.app.page.test_browser_search import set_slider


def ids(services: Services, *numbers: int) -> list[str]:
    return [services.videos(limit=32)[number].id for number in numbers]


def compare(open_page: Callable[..., Page], served: Served, query: str, match: str, **settings) -> Page:
    """The Why tab with two videos, chosen by their ids."""
    page = open_page(served.url, **settings)
    fill_ids(page, query, match)
    expect(page.locator("#film .film")).to_be_visible()
    return page


def fill_ids(page: Page, query: str, match: str) -> None:
    page.get_by_role("tab", name="Why").click()
    page.get_by_role("button", name="Compare two videos by their ids").click()
    page.get_by_label("Query", exact=True).fill(query)
    page.get_by_label("Match", exact=True).fill(match)
    page.get_by_role("button", name="Compare", exact=True).click()


def test_why_on_a_result_shows_both_videos_and_the_maps(open_page, served) -> None:
    page = open_page(served.url)
    page.locator("#examples").get_by_role("button").first.click()
    result = page.locator("#results .card").nth(2)
    name = result.get_by_role("heading").inner_text()
    result.get_by_role("button", name="Why").click()
    expect(page.get_by_role("tab", name="Why")).to_have_attribute("aria-selected", "true")
    expect(page.locator("#pair video")).to_have_count(2)
    expect(page.locator("#pair figcaption").nth(1)).to_contain_text(name)
    expect(page.locator("#film")).to_contain_text("Motion (RSP)")
    expect(page.locator("#film")).to_contain_text("Appearance (A-VID)")
    expect(page.get_by_role("img", name=re.compile("map over the query clip"))).to_have_count(2)


LIES_OVER = """() => {
    window.over = -Infinity;
    const bottom = (part) => part.getBoundingClientRect().bottom;
    const look = () => {
        const message = document.querySelector('#film > [data-testid="status-tracker"]:not(.hide)');
        const below = document.querySelector("#by-ids");
        for (const part of message?.querySelectorAll("*") ?? [])
            window.over = Math.max(window.over, bottom(part) - below.getBoundingClientRect().top);
        if (!document.querySelector("#film img")) requestAnimationFrame(look);
    };
    look();
}"""


def test_what_is_said_while_maps_are_drawn_lies_over_nothing_else(open_page, served) -> None:
    page = open_page(served.url)
    page.evaluate(LIES_OVER)
    page.locator("#examples").get_by_role("button").first.click()
    page.locator("#results .card").nth(2).get_by_role("button", name="Why").click()
    expect(page.get_by_role("img", name=re.compile("map over the query clip"))).to_have_count(2)
    assert -math.inf < page.evaluate("window.over") <= 0


def test_why_goes_by_the_weights_of_the_search(open_page, served) -> None:
    query, match = ids(served.services, 0, 9)
    address = f"{served.url}?video={query}&match={match}&tab=why&backbone=0"
    page = open_page(f"{address}&appearance=1")
    similarities = clip_similarities(served.services, served.services.stored(query), match)
    for part in ("appearance", "motion"):
        first, second = best_cell(similarities, PartWeights(**{"backbone": 0, part: 1}))
        expect(page.locator("#pair .chosen")).to_contain_text(f"{part} similarity")
        expect(page.locator('#pair [aria-pressed="true"]')).to_have_attribute("data-cell", f"{first} {second}")
        page.get_by_role("tab", name="Search").click()
        set_slider(page, "motion", 1)
        set_slider(page, "appearance", 0)
        page.wait_for_function("() => document.querySelector('a.permalink').href.includes('motion=1')")
        page.wait_for_function("() => !document.querySelector('a.permalink').href.includes('appearance')")
        page.get_by_role("tab", name="Why").click()


def test_why_after_another_search_shows_the_new_query(open_page, served) -> None:
    page = open_page(served.url)
    for example in (0, 1):
        page.get_by_role("tab", name="Search").click()
        button = page.locator("#examples").get_by_role("button").nth(example)
        query = button.get_attribute("data-id")
        button.click()
        page.locator(f'#query [data-media="{query}"]').wait_for()
        match = ids(served.services, 20)[0]
        page.locator(f'#results [data-action="why"][data-id="{match}"], #results .why').first.click()
        expect(page.locator("#pair video").first).to_have_attribute("src", f"media/video/{query}.mp4")


def test_a_cell_of_the_matrix_seeks_both_players_and_moves_the_maps(open_page, served) -> None:
    query, match = ids(served.services, 0, 9)
    page = compare(open_page, served, query, match)
    handle = served.services.stored(query)
    similarities = clip_similarities(served.services, handle, match)
    spans = [served.services.library.catalogue.clip_vectors(each).spans_seconds for each in (query, match)]
    assert best_cell(similarities, PartWeights(backbone=0, motion=1, appearance=1)) != (2, 1)
    value = similarities["motion"][2, 1]
    page.get_by_role("button", name=f"query clip 3, match clip 2, similarity {value.round(4):.3f}").click()
    for number, clip in enumerate((2, 1)):
        player = f"document.querySelectorAll('#pair video')[{number}]"
        page.wait_for_function(f"Math.abs({player}.currentTime - {spans[number][clip][0]}) < 0.05")
    expect(page.locator("#film .side").nth(0)).to_contain_text("clip 3 of 3")
    expect(page.locator("#film .side").nth(1)).to_contain_text("clip 2 of 3")


def test_the_matrix_is_worked_by_keyboard_and_shows_each_head(open_page, served) -> None:
    query, match = ids(served.services, 0, 9)
    page = compare(open_page, served, query, match)
    shown = page.locator("#pair .chosen")
    expect(shown).to_contain_text("motion similarity")
    page.get_by_role("radio", name="Backbone").check(force=True)
    expect(shown).to_contain_text("backbone similarity")
    cells = page.locator("#pair table button")
    expect(cells).to_have_count(9)
    page.locator('#pair [data-cell="0 0"]').focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(shown).to_contain_text("Query clip 2")
    expect(shown).to_contain_text("match clip 2")
    expect(page.locator('#pair [aria-pressed="true"]')).to_have_attribute("data-cell", "1 1")


def test_the_threshold_moves_the_rectangles(open_page, served) -> None:
    page = compare(open_page, served, *ids(served.services, 0, 9))
    caption = page.locator("#film figcaption").nth(1)
    expect(caption).to_have_text(re.compile(r"in rectangles: \d+ % of the map, \d\d? % of the area"))
    page.locator("#threshold input[type=range]").fill("0")
    expect(caption).to_have_text("in rectangles: 100 % of the map, 100 % of the area")
    expect(page.locator("#film rect.line")).to_have_count(4)


def test_the_film_goes_through_the_frames(open_page, served) -> None:
    page = compare(open_page, served, *ids(served.services, 0, 9))
    panel = page.locator("#film .film-panel").first
    expect(page.locator("#film output")).to_have_text("2 of 2")
    last = panel.evaluate("panel => panel.style.backgroundPosition")
    page.get_by_label("Frame of the clips").fill("0")
    expect(page.locator("#film output")).to_have_text("1 of 2")
    assert panel.evaluate("panel => panel.style.backgroundPosition") != last
    page.locator("#film").get_by_role("button", name="Play").click()
    expect(page.locator("#film output")).to_have_text("2 of 2")


def test_the_maps_can_be_tested(open_page, served) -> None:
    page = compare(open_page, served, *ids(served.services, 0, 9))
    page.get_by_role("button", name="Test the maps").click()
    verdicts = page.get_by_role("list", name="Test of the maps").get_by_role("listitem")
    expect(verdicts).to_have_count(2)
    expect(verdicts.nth(0)).to_contain_text(re.compile(r"Motion \(RSP\): .*it falls by -?\d\.\d{4}; with random"))
    expect(verdicts.nth(1)).to_contain_text(re.compile(r"Appearance \(A-VID\): .* of \d+ random ones"))


def test_an_unknown_id_gives_a_message(open_page, served) -> None:
    page = open_page(served.url)
    fill_ids(page, "<b>nothing</b>", ids(served.services, 0)[0])
    expect(
        page.get_by_text("no indexed video has this id").or_(page.get_by_text("is not the id of a video"))
    ).to_be_visible()


def test_an_uploaded_query_is_explained(open_page, served, new_video: Path) -> None:
    page = open_page(served.url)
    page.locator("#query-video input[type=file]").set_input_files(new_video)
    page.locator("#results .why").first.click()
    expect(page.locator("#pair figcaption").first).to_contain_text(new_video.name)
    expect(page.locator("#film .side").first).to_contain_text(new_video.name)


def test_an_encoder_without_heads_is_explained_by_its_backbone(open_page, serve, headless: Path) -> None:
    served = serve(headless)
    page = open_page(served.url)
    query, match = [video.id for video in served.services.videos(limit=2)]
    fill_ids(page, query, match)
    expect(page.get_by_text("no motion and appearance heads")).to_be_visible()
    expect(page.locator("#pair table button")).to_have_count(9)
    expect(page.locator("#pair .chosen")).to_contain_text("backbone similarity")
    expect(page.locator("#film .side").first).to_be_visible()
    expect(page.locator("#film")).to_contain_text("Backbone")
    expect(page.locator("#film")).not_to_contain_text("Motion")


def test_why_fits_a_phone(open_page, served) -> None:
    page = compare(
        open_page, served, *ids(served.services, 0, 9), viewport={"width": 390, "height": 844}, color_scheme="dark"
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    expect(page.get_by_role("button", name="Play both")).to_be_visible()


def test_the_endpoint_gives_the_picture_and_its_figures(served, new_video: Path) -> None:
    client = Client(served.url, verbose=False)
    match = ids(served.services, 9)[0]
    picture, figures = client.predict(
        file=handle_file(new_video), video_id="", match_id=match, threshold=0.4, kind="png", api_name="/heatmap"
    )
    with Image.open(picture) as image:
        assert image.format == "PNG"
    assert figures["threshold"] == 0.4
    assert figures["query"]["name"] == new_video.name
    assert set(figures["heads"]) == {"motion", "appearance"}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"video_id": ""}, "give a file"),
        ({"threshold": 2}, "allowed is 0 to 1"),
        ({"kind": "exe"}, "allowed are png, mp4, gif"),
        ({"match_id": "../../etc/passwd"}, "id"),
    ],
)
def test_the_endpoint_says_what_is_wrong(served, wrong: dict, message: str) -> None:
    client = Client(served.url, verbose=False)
    query, match = ids(served.services, 0, 9)
    request = {"file": None, "video_id": query, "match_id": match, "threshold": 0.5, "kind": "png"} | wrong
    with pytest.raises(AppError, match=message):
        client.predict(**request, api_name="/heatmap")
