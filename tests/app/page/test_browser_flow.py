"""The way through the app: history, filters as chips, keys, what browsers cannot play."""

import re
import shutil
from pathlib import Path

import av
import pytest
from playwright.sync_api import expect

from indexer.ingest.build import build_library
from tests.app.conftest import Served
from tests.app.page.test_browser_search import cards, order, set_slider, upload, wait_for_rank


def opened_tab(page, name: str) -> None:
    expect(page.get_by_role("tab", name=name)).to_have_attribute("aria-selected", "true")


def test_back_forward_and_reload_go_to_search_page_hit_and_tab(served: Served, open_page) -> None:
    page = open_page(served.url)
    page.locator("#examples .example").first.click()
    page.get_by_text("Page 1 of 3").wait_for()
    first = order(page)
    page.wait_for_url(re.compile(r"\?video=[0-9a-f]{16}$"))
    page.locator("#next-page").click()
    page.wait_for_url(re.compile("&hits=2$"))
    second = order(page)
    page.locator("#results .why").nth(1).click()
    page.wait_for_url(re.compile("tab=why&match=" + second[1]))
    page.get_by_role("tab", name="Library").click()
    page.wait_for_url(re.compile("hits=2&tab=library$"))

    page.go_back()
    opened_tab(page, "Why")
    expect(page.locator("#pair video").nth(1)).to_have_attribute("src", f"media/video/{second[1]}.mp4")
    page.go_back()
    opened_tab(page, "Search")
    wait_for_rank(page, second)
    page.go_back()
    page.get_by_text("Page 1 of 3").wait_for()
    assert order(page)[0] == first[0]
    page.go_back()
    expect(page.get_by_text("32 videos are ready to be searched")).to_be_visible()
    expect(cards(page)).to_have_count(0)
    for _ in range(3):
        page.go_forward()
    opened_tab(page, "Why")
    page.reload()
    opened_tab(page, "Why")
    expect(page.locator("#pair video").nth(1)).to_have_attribute("src", f"media/video/{second[1]}.mp4")
    page.get_by_role("tab", name="Search").click()
    wait_for_rank(page, second)
    page.get_by_text("Earlier searches", exact=True).click()
    earlier = page.locator("#earlier li")
    expect(earlier).to_have_count(1)
    earlier.get_by_role("link").click()
    page.get_by_text("Page 1 of 3").wait_for()
    places = page.evaluate("history.length")
    set_slider(page, "motion", 0.7)
    expect(earlier).to_contain_text("motion 0.7")
    page.wait_for_url(re.compile("motion=0.7$"))
    assert page.evaluate("history.length") == places
    expect(earlier).to_have_count(1)
    page.get_by_role("button", name="Clear the list").click()
    expect(earlier).to_have_count(0)
    assert page.evaluate("localStorage.getItem('rspnet.searches')") == "[]"


def test_each_tab_has_an_address_also_after_coming_back_to_the_start_twice(served: Served, open_page) -> None:
    """Fails where an address does not come."""
    page = open_page(served.url)
    for name in ("Accuracy", "Library"):
        page.get_by_role("tab", name=name).click()
        page.wait_for_url(re.compile(rf"\?tab={name.lower()}$"))
        page.go_back()
        opened_tab(page, "Search")
    page.get_by_role("tab", name="Map").click()
    page.wait_for_url(re.compile(r"\?tab=map$"))


def test_filters_are_chips_that_can_be_taken_away_and_keys_go_everywhere(served: Served, open_page) -> None:
    video = served.services.videos(limit=1)[0].id
    page = open_page(f"{served.url}?video={video}&label=Spin&split=nowhere&page=1")
    expect(cards(page)).to_have_count(4)
    expect(page.get_by_role("alert")).to_contain_text("split: ")
    chip = page.get_by_role("button", name="Remove the filter Class: Spin")
    expect(page.locator("#filter-label input")).to_be_hidden()
    chip.focus()
    page.keyboard.press("Enter")
    page.get_by_text("32 videos ranked").wait_for()
    expect(chip).to_have_count(0)
    page.wait_for_url(re.compile(rf"\?video={video}$"))

    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()
    page.evaluate("document.activeElement.blur()")
    hit = "document.activeElement.closest('li.card')?.dataset.id"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert page.evaluate(hit) == order(page)[1]
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("ArrowDown")
    assert order(page).index(page.evaluate(hit)) > 1
    page.get_by_role("tab", name="Library").click()
    page.locator("#library-find textarea, #library-find input").press("/")
    opened_tab(page, "Library")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("/")
    opened_tab(page, "Search")
    page.wait_for_function("document.activeElement.closest('#query-video') !== null")


@pytest.fixture
def xvid(new_video: Path, tmp_path: Path) -> Path:
    """The new video as browsers do not play it: MPEG-4 part 2 in AVI."""
    path = tmp_path / "old.avi"
    with av.open(str(new_video)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream("mpeg4", rate=25, options={"vtag": "xvid"})
        stream.width, stream.height = source.streams.video[0].width, source.streams.video[0].height
        for frame in source.decode(video=0):
            target.mux(stream.encode(av.VideoFrame.from_ndarray(frame.to_ndarray(format="rgb24"), format="rgb24")))
        target.mux(stream.encode())
    return path


def test_what_browsers_cannot_play_is_shown_and_controls_stay_in_view(served: Served, open_page, xvid: Path) -> None:
    page = open_page(served.url, viewport={"width": 1280, "height": 720})
    upload(page, xvid)
    cards(page).first.wait_for()
    page.wait_for_function("document.querySelector('#query video').readyState >= 1")
    assert page.locator("#query video").evaluate("player => player.videoWidth") == 160
    expect(page.get_by_role("alert")).to_have_count(0)
    box = page.locator("#results").bounding_box()
    assert box is not None and box["y"] < 250
    page.evaluate("window.scrollTo(0, document.documentElement.scrollHeight)")
    for part in ("motion", "appearance", "backbone"):
        expect(page.locator(f"#weight-{part}")).to_be_in_viewport(ratio=1)
    page.reload()
    expect(page.locator("#query")).to_contain_text("old.avi")
    expect(cards(page)).to_have_count(12)


def test_hits_become_examples_of_the_question_and_are_taken_away_again(served: Served, open_page) -> None:
    page = open_page(served.url)
    page.locator("#examples .example").first.click()
    page.get_by_text("Page 1 of 3").wait_for()
    first = order(page)
    panel, page_of = page.locator("#query"), page.locator("#results")

    def press(number: int, words: str) -> None:
        page_of.locator(f'[data-id="{first[number]}"]').get_by_role("button", name=words).click()

    press(3, "Search also like")
    page.wait_for_url(re.compile(f"&like={first[3]}$"))
    press(5, "Search less like")
    page.wait_for_url(re.compile(f"&like={first[3]}&unlike={first[5]}$"))
    expect(panel.locator(".chip.like")).to_have_count(1)
    expect(panel.locator(".chip.unlike")).to_have_count(1)
    fed = order(page)
    expected = served.services.library.search(first[0], like=[first[3]], unlike=[first[5]], top=len(fed))
    assert fed == [hit.id for hit in expected]
    page.reload()
    wait_for_rank(page, fed)
    panel.get_by_role("button", name="Search without").last.click()
    page.wait_for_url(re.compile(f"&like={first[3]}$"))
    press(4, "what moves like the query and looks like")
    page.wait_for_url(re.compile(f"look={first[4]}&backbone=0&motion=1&appearance=1$"))
    expect(panel).to_contain_text("Videos that move like")
    assert page.locator("#weight-backbone input[type=number]").input_value() == "0"
    press(0, "Search also like")
    page.get_by_text("this is the query itself").wait_for()
    panel.get_by_role("button", name="Search without").click()
    page.wait_for_url(re.compile(f"video={first[0]}&backbone=0"))
    expect(panel.locator(".chip")).to_have_count(0)


@pytest.mark.slow
def test_a_search_is_saved_under_a_name_opened_again_and_removed(served: Served, open_page) -> None:
    page = open_page(served.url)
    page.get_by_text("Saved views", exact=True).click()
    views = page.locator("#views")
    views.get_by_label("Name").fill("slow <b>turns</b>")
    views.get_by_role("button", name="Save this search").click()
    expect(views.get_by_role("status")).to_have_text("Search for a video of the library first.")
    page.locator("#examples .example").first.click()
    cards(page).first.wait_for()
    set_slider(page, "motion", 0.7)
    page.wait_for_url(re.compile("motion=0.7"))
    views.get_by_role("button", name="Save this search").click()
    expect(views.get_by_role("status")).to_have_text("Saved as slow <b>turns</b>.")
    ranked = order(page)
    page.goto(served.url)
    page.get_by_text("Saved views", exact=True).click()
    expect(views.get_by_role("listitem")).to_contain_text("motion 0.7")
    views.get_by_role("link", name="slow <b>turns</b>").click()
    wait_for_rank(page, ranked)
    views.get_by_role("button", name="Remove the view slow <b>turns</b>").click()
    expect(views.get_by_role("listitem")).to_have_count(0)
    page.evaluate("localStorage.setItem('rspnet.views ', '[{\"search\": 7}, null, \"x\"]')")
    page.reload()
    page.get_by_text("Saved views", exact=True).click()
    expect(views.get_by_role("listitem")).to_have_count(0)


def test_a_page_that_opens_asks_for_the_tab_that_it_shows_and_others_are_fresh_when_they_are_opened(
    served_own: Served, own_library: Path, new_video: Path, open_page
) -> None:
    page = open_page(served_own.url)
    shutil.copy(new_video, own_library)
    build_library(own_library, device="cpu")
    asked = []  # what is asked for again and again, as a timer does, counts once
    page.on("request", lambda sent: sent.url.endswith("queue/join?") and asked.append(sent.post_data_json["fn_index"]))
    page.reload()
    expect(page.get_by_text("5 videos are ready to be searched")).to_be_visible()
    page.wait_for_timeout(1000)
    assert len(set(asked)) <= 6, asked
    page.get_by_role("tab", name="Library").click()
    page.get_by_text("Page 1 of 1, 5 videos").wait_for()
