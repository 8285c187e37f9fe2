"""The Search tab as a visitor sees it."""

import re
import shutil
from pathlib import Path

from playwright.sync_api import expect

from indexer.index.place import Place
from indexer.ingest.build import build_library
from indexer.retrieval.search import PartWeights
from rspnet_core.models import create_model
from rspnet_core.weights.checkpoint import describe, save_checkpoint
from tests.app.conftest import EDITOR, Served
from tests.conftest import SMALL_CLIPS
from tests.indexer.retrieval.test_playback import told

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True, "color_scheme": "dark"}


def upload(page, video: Path) -> None:
    page.locator("#query-video input[type=file]").set_input_files(video)


def cards(page):
    return page.locator("#results li.card")


def order(page) -> list[str]:
    return [card.get_attribute("data-id") for card in cards(page).all()]


def set_slider(page, part: str, value: float) -> None:
    number = page.locator(f"#weight-{part} input[type=number]")
    number.fill(str(value))
    number.press("Tab")


def wait_for_rank(page, expected: list[str]) -> None:
    script = "ids => JSON.stringify([...document.querySelectorAll('#results li.card')].map(c => c.dataset.id)) === ids"
    page.wait_for_function(script, arg=str(expected).replace("'", '"').replace(" ", ""))


def test_an_uploaded_video_gets_hits_with_scores_and_moments(served: Served, open_page, new_video: Path) -> None:
    page = open_page(served.url)
    expect(page.get_by_text("32 videos are ready to be searched")).to_be_visible()
    upload(page, new_video)
    cards(page).first.wait_for()
    expect(cards(page)).to_have_count(12)
    best = cards(page).first
    assert re.search(r"score\s+0\.\d{3}", best.inner_text())
    for part in ("backbone", "motion", "appearance"):
        assert re.search(rf"{part}\s+-?\d\.\d{{3}}", best.inner_text())
    assert re.search(r"matches at \d\.\d–\d\.\d s", best.inner_text())
    expect(page.locator("#query").get_by_role("heading", name="my slide.mp4")).to_be_visible()
    expect(page.get_by_text("A search by an uploaded file has no link.")).to_be_visible()
    assert best.get_by_role("img").get_attribute("alt").startswith("Middle frame of ")


def test_a_slider_ranks_anew_without_embedding(served: Served, open_page, new_video: Path, monkeypatch) -> None:
    from indexer.retrieval.search import PartWeights

    page = open_page(served.url)
    upload(page, new_video)
    cards(page).first.wait_for()
    handle = served.services.embed(EDITOR, new_video)
    before = [hit.id for hit in served.services.rank(handle, PartWeights()).hits]
    after = [hit.id for hit in served.services.rank(handle, PartWeights(backbone=0, motion=1)).hits]
    assert before != after
    wait_for_rank(page, before)
    monkeypatch.setattr(served.services, "_embed", None)
    set_slider(page, "motion", 1)
    set_slider(page, "backbone", 0)
    wait_for_rank(page, after)


def test_all_sliders_at_zero_say_what_to_do(served: Served, open_page) -> None:
    page = open_page(served.url)
    page.locator("#examples .example").first.click()
    cards(page).first.wait_for()
    set_slider(page, "backbone", 0)
    expect(page.get_by_text("Move at least one slider above 0.")).to_be_visible()


def test_a_poster_plays_and_a_moment_jumps_there(served: Served, open_page) -> None:
    page = open_page(served.url)
    page.locator("#examples .example").first.click()
    card = cards(page).first
    card.get_by_role("button", name=re.compile("^Play .*mp4$")).click()
    playing = "() => { const v = document.querySelector('#results video'); return v && v.readyState >= 2 }"
    page.wait_for_function(playing)
    shown = page.evaluate("(() => { const v = document.querySelector('#results video'); return v.videoWidth })()")
    assert shown == 160
    second = cards(page).nth(1)
    start = float(second.locator(".moment").get_attribute("data-start"))
    second.locator(".moment").click()
    page.wait_for_function(
        "start => { const v = document.querySelectorAll('#results video')[1];"
        " return v && v.readyState >= 2 && v.currentTime >= start - 0.05 }",
        arg=start,
    )


def test_filters_and_pages(served: Served, open_page) -> None:
    page = open_page(served.url)
    page.locator("#examples .example").first.click()
    page.get_by_text("Page 1 of 3").wait_for()
    first = order(page)
    page.locator("#next-page").click()
    page.get_by_text("Page 2 of 3").wait_for()
    expect(cards(page).first).not_to_have_attribute("data-id", first[0])
    assert not set(first) & set(order(page))
    page.get_by_role("button", name="Filters").click()
    page.locator("#filter-label input").click()
    page.get_by_role("option", name="Spin").click()
    page.get_by_text("4 videos ranked").wait_for()
    expect(page.locator("#results li.card[data-label=Spin]")).to_have_count(4)
    expect(cards(page)).to_have_count(4)


def test_the_query_s_own_recording_is_left_out_by_a_box(served: Served, open_page) -> None:
    page = open_page(served.url)
    page.locator("#examples .example").first.click()
    cards(page).first.wait_for()
    page.get_by_role("button", name="Filters").click()
    page.get_by_label("Leave out the query's recording").check()
    chip = page.get_by_role("group", name="Filters of this search").get_by_role("button")
    expect(chip).to_have_text("Without its recording×")
    page.get_by_text("16 videos ranked").wait_for()
    page.wait_for_url("**leave_out=recording*")
    page.reload()
    chip.click()
    page.get_by_text("32 videos ranked").wait_for()
    page.get_by_role("button", name="Filters").click()
    expect(page.get_by_label("Leave out the query's recording")).not_to_be_checked()


def test_typed_filters_are_chips_that_take_them_away(served: Served, open_page) -> None:
    page = open_page(served.url)
    page.locator("#examples .example").first.click()
    cards(page).first.wait_for()
    page.get_by_role("button", name="Filters").click()
    chip = page.get_by_role("group", name="Filters of this search").get_by_role("button")
    page.get_by_label("At most (seconds)").fill("900")
    page.get_by_label("At most (seconds)").press("Enter")
    expect(chip).to_have_text("At most 900 s long×")
    page.get_by_label("Dated from").fill("1999-12-31")
    page.get_by_label("Dated from").press("Tab")
    expect(chip).to_have_text(["At most 900 s long×", "Dated 1999-12-31 or later×"])
    page.wait_for_url("**max_seconds=900*since=1999-12-31*")
    page.reload()
    expect(chip).to_have_count(2)
    page.get_by_role("button", name="Filters").click()
    expect(page.get_by_label("At most (seconds)")).to_have_value("900")
    expect(page.get_by_label("Dated from")).to_have_value("1999-12-31")
    page.get_by_label("Dated until").fill("soon")
    page.get_by_label("Dated until").press("Enter")
    expect(page.locator("#results")).to_contain_text("until: got 'soon', allowed are days such as 2026-03-01")
    page.get_by_label("Dated until").fill("1999-12-31")
    page.get_by_label("Dated until").press("Enter")
    expect(page.locator("#results")).to_contain_text("no video is dated 1999-12-31 or earlier: dates of files here are")
    for left in ((2, "Dated until"), (1, "Dated from"), (0, "At most (seconds)")):
        chip.nth(left[0]).click()
        expect(chip).to_have_count(left[0])
        expect(page.get_by_label(left[1])).to_have_value("")
    expect(cards(page)).to_have_count(12)
    page.wait_for_function("() => !/since|until|max_seconds/.test(location.search)")


def test_a_link_restores_its_search(served: Served, open_page) -> None:
    page = open_page(served.url)
    page.locator("#examples .example").nth(2).click()
    cards(page).first.wait_for()
    before = order(page)
    set_slider(page, "motion", 0.7)
    page.wait_for_function("() => document.querySelector('a.permalink')?.href.includes('motion=0.7')")
    link = page.get_by_role("link", name="Link to this search").get_attribute("href")
    expected = order(page)
    again = open_page(f"{served.url}{link}")
    wait_for_rank(again, expected)
    assert again.locator("#weight-motion input[type=number]").input_value() == "0.7"
    assert before[0] == expected[0]


def choose_rate(page, rate: str) -> None:
    page.locator("#false-alarms input").click()
    page.get_by_role("option", name=f"1 in {rate} unrelated pairs").click()


def test_the_rate_of_false_alarms_moves_the_line_and_is_in_the_address(served: Served, open_page) -> None:
    page = open_page(served.url)
    page.locator("#examples .example").first.click()
    cards(page).first.wait_for()
    chosen = page.locator("#false-alarms input")
    expect(chosen).to_have_value("1 in 1,000 unrelated pairs")
    assert "false_alarms" not in page.url
    choose_rate(page, "100")
    line = page.locator("#results .line")
    expect(line).to_contain_text("1 in 100 unrelated pairs of this library scores above")
    page.wait_for_url("**&false_alarms=0.01")
    page.reload()
    expect(chosen).to_have_value("1 in 100 unrelated pairs")
    expect(line).to_contain_text("1 in 100 unrelated pairs")
    choose_rate(page, "10,000")
    expect(page.locator("#results")).to_contain_text("Too few pairs to tell which score 1 in 10,000 unrelated pairs")
    page.wait_for_url("**&false_alarms=0.0001")
    page.go_back()
    expect(chosen).to_have_value("1 in 100 unrelated pairs")
    expect(line).to_contain_text("1 in 100 unrelated pairs")


def test_faster_and_slower_rest_until_the_encoder_is_known_to_tell_them(own_library: Path, open_page, serve) -> None:
    served = serve(own_library)
    first = served.services.videos(limit=1)[0].id
    page = open_page(f"{served.url}?video={first}&speed=faster")
    expect(page.get_by_role("alert")).to_contain_text(
        "was not measured; run `rspnet-index playback` on it; it is left out"
    )
    expect(page.locator("#speed")).to_contain_text("whether this library's encoder tells speeds was not measured")
    expect(page.get_by_role("radio", name="Faster")).to_be_disabled()
    told(served.services.library, doubling=0.01).write(served.services.place.folder)
    page.reload()
    expect(page.locator("#speed")).to_contain_text("in 90% of 40 videos")
    page.get_by_role("radio", name="Slower").check()
    page.wait_for_url(f"**?video={first}&speed=slower")
    handle = served.services.stored(first)
    faster, slower = (
        [hit.id for hit in served.services.rank(handle, PartWeights(), speed=speed).hits]
        for speed in ("faster", "slower")
    )
    assert faster != slower
    wait_for_rank(page, slower)
    page.reload()
    wait_for_rank(page, slower)
    expect(page.get_by_role("radio", name="Slower")).to_be_checked()


def test_links_that_lead_nowhere_say_so(served: Served, open_page) -> None:
    page = open_page(f"{served.url}?video={'0' * 16}&motion=many")
    expect(page.get_by_role("alert")).to_contain_text("no indexed video has this id")
    expect(page.get_by_role("alert")).to_contain_text("motion: not understood, allowed are numbers from 0 to 1")
    page = open_page(f"{served.url}?video=<script>")
    expect(page.get_by_role("alert")).to_contain_text("video: not understood, allowed is the id of a video")
    expect(cards(page)).to_have_count(0)


def test_what_is_no_video_gets_a_message_in_the_page(served: Served, open_page, tmp_path: Path) -> None:
    text = tmp_path / "<b>text.mp4"
    text.write_text("hello")
    page = open_page(served.url)
    upload(page, text)
    alert = page.get_by_role("alert").filter(has_text="not a video file")
    alert.wait_for()
    assert "Traceback" not in page.content()
    assert alert.locator("b").count() == 0


def test_a_segment_is_searched_alone(served: Served, open_page, new_video: Path) -> None:
    page = open_page(served.url)
    upload(page, new_video)
    cards(page).first.wait_for()
    page.get_by_role("button", name="Search with a part of it").click()
    page.locator("#segment-start input").fill("1")
    page.locator("#segment-end input").fill("2")
    page.locator("#search-segment").click()
    expect(page.get_by_text("from 1 s to 2 s")).to_be_visible()
    page.locator("#segment-start input").fill("9")
    page.locator("#segment-end input").fill("")
    page.locator("#search-segment").click()
    expect(page.get_by_role("alert").filter(has_text="lasts 3.00 s")).to_be_visible()
    expect(page.locator("#query")).to_contain_text("from 1 s to 2 s")
    page.locator("#query video").evaluate("player => { player.currentTime = 1.5; }")
    page.locator("#segment-start input").fill("")
    page.locator("#end-here").click()
    expect(page.locator("#query")).to_contain_text("from 0 s to 1.5 s")
    expect(page.get_by_role("alert")).to_have_count(0)
    page.locator("#examples .example").first.click()
    expect(page.locator("#query")).to_contain_text("video of this library")
    page.locator("#segment-start input").fill("1")
    page.locator("#search-segment").click()
    expect(page.locator("#query")).to_contain_text("from 1 s to the end")
    expect(page.locator("#query")).to_contain_text("video of this library")


def test_why_goes_to_its_tab(served: Served, open_page) -> None:
    page = open_page(served.url)
    page.locator("#examples .example").first.click()
    cards(page).nth(1).get_by_role("button", name=re.compile("^Why does")).click()
    expect(page.get_by_role("tab", name="Why")).to_have_attribute("aria-selected", "true")


def test_more_like_this_searches_with_a_result(served: Served, open_page) -> None:
    page = open_page(served.url)
    page.locator("#examples .example").first.click()
    cards(page).first.wait_for()
    chosen = order(page)[3]
    cards(page).nth(3).get_by_role("button", name=re.compile("^Search for videos like")).click()
    expect(cards(page).first).to_have_attribute("data-id", chosen)


def test_the_keyboard_is_enough(served: Served, open_page) -> None:
    page = open_page(served.url)
    page.locator("#examples .example").first.focus()
    page.keyboard.press("Enter")
    cards(page).first.wait_for()
    cards(page).first.locator(".poster").focus()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.dataset.action") == "moment"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Space")
    page.locator("#results video").wait_for()


def test_a_phone_in_the_dark_shows_everything(served: Served, open_page) -> None:
    page = open_page(served.url, **PHONE)
    page.locator("#examples .example").first.tap()
    cards(page).first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert sum(map(int, re.findall(r"\d+", background)[:3])) < 200
    expect(cards(page).first.locator(".moment")).to_be_visible()
    box = page.locator("#results").bounding_box()
    assert box is not None and box["y"] < 500
    expect(page.locator("#weight-motion")).to_be_hidden()
    page.get_by_role("button", name="Weights, filters, examples").tap()
    expect(page.locator("#weight-motion")).to_be_visible()


def test_names_of_files_are_shown_and_do_nothing(own_library: Path, open_page, serve) -> None:
    hostile = "<img src=x onerror=document.title=1> ${1+1} {{name}}.mp4"
    video = next(own_library.rglob("*.mp4"))
    shutil.move(video, own_library / hostile)
    build_library(own_library, device="cpu")
    served = serve(own_library)
    page = open_page(served.url)
    page.locator("#examples .example").first.click()
    page.locator("#results h3").filter(has_text="${1+1} {{name}}.mp4").wait_for()
    page.get_by_role("tab", name="Library").click()
    page.locator("#library-table").get_by_text(hostile).wait_for()
    assert page.locator("img[src=x]").count() == 0
    assert page.title() != "1"


def test_an_empty_library_says_what_to_do(tmp_path: Path, open_page, serve, new_video: Path) -> None:
    Place.prepare(tmp_path / ".rspnet", None)
    served = serve(tmp_path)
    page = open_page(served.url)
    page.get_by_text("Add some in the Library tab").wait_for()
    upload(page, new_video)
    page.wait_for_timeout(500)
    expect(page.get_by_text("There are no videos here yet.").first).to_be_visible()


def test_sliders_of_absent_heads_say_why_they_rest(headless: Path, open_page, serve) -> None:
    served = serve(headless)
    page = open_page(served.url)
    for part in ("motion", "appearance"):
        slider = page.locator(f"#weight-{part}")
        slider.get_by_text(f"this library's encoder has no {part} head").wait_for()
        assert slider.locator("input[type=range]").is_disabled()
    assert page.locator("#weight-backbone input[type=range]").is_enabled()
    page.locator("#examples .example").first.click()
    cards(page).first.wait_for()
    assert page.get_by_role("button", name=re.compile("^Why does")).count() == 0


def test_an_untrained_encoder_is_announced(few_videos: Path, tmp_path: Path, open_page, serve) -> None:
    model = create_model("tiny", seed=1).eval()
    spec = describe(model, "tiny", source="test", trained=False, geometry=SMALL_CLIPS)
    save_checkpoint(model, spec, tmp_path / "untrained.safetensors")
    build_library(few_videos, weights=str(tmp_path / "untrained.safetensors"), device="cpu")
    expect(open_page(serve(few_videos).url).get_by_text("encoder is untrained")).to_be_visible()
