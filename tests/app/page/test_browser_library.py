"""The Library tab as a visitor sees it."""

import json
import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import expect

from indexer.index.place import Place
from indexer.ingest.build import build_library
from tests.app.conftest import EDITOR, Served


def open_library(page) -> None:
    page.get_by_role("tab", name="Library").click()
    page.locator("#library-facts").get_by_text("Fingerprint").wait_for()


def rows(page):
    return page.locator("#library-table tbody tr")


def facts(page) -> str:
    return page.locator("#library-facts").inner_text()


def assert_stays(page, text: str) -> None:
    """A refusal is shown, and still is when the tab has been refreshed after it and when one comes back to it."""
    refusal = page.get_by_role("alert").filter(has_text=text)
    refusal.wait_for()
    page.wait_for_timeout(1000)
    page.get_by_role("tab", name="Search").click()
    page.get_by_role("tab", name="Library").click()
    page.wait_for_timeout(1000)
    assert refusal.is_visible()


def test_what_is_indexed_is_listed_in_pages(served: Served, open_page) -> None:
    page = open_page(served.url)
    open_library(page)
    assert re.search(r"Videos\s+32\s", facts(page))
    assert served.services.encoder["fingerprint"] in facts(page)
    page.get_by_text("Page 1 of 2, 32 videos").wait_for()
    expect(rows(page)).to_have_count(25)
    first = rows(page).first.inner_text().split()
    assert first[0].startswith("Bounce/")
    assert first[1:] == ["Bounce", "test", "3.0", "s"]
    page.locator("#library-next").click()
    page.get_by_text("Page 2 of 2").wait_for()
    expect(rows(page)).to_have_count(7)
    page.locator("#library-find textarea, #library-find input").fill("spin")
    page.get_by_text("Page 1 of 1, 4 videos").wait_for()
    expect(rows(page)).to_have_count(4)
    page.locator("#library-find textarea, #library-find input").fill("nothing at all")
    page.get_by_text("No name or class holds this text.").wait_for()


def test_failed_files_are_shown_with_reasons(served: Served, open_page) -> None:
    page = open_page(served.url)
    open_library(page)
    page.get_by_text("1 file could not be indexed").click()
    failed = page.locator("#library-failed tbody tr").first
    assert "broken <b>name.mp4" in failed.inner_text()
    assert len(failed.locator("td").first.inner_text()) > 5


def test_ticks_survive_turning_pages_and_the_ticked_are_taken_out(
    served: Served, own_library, serve, open_page
) -> None:
    page = open_page(served.url)
    open_library(page)
    rows(page).nth(2).get_by_role("checkbox").check()
    page.locator("#library-next").click()
    page.get_by_text("Page 2 of 2").wait_for()
    page.get_by_label("All on this page").locator("visible=true").check()
    expect(page.locator("#library-ticks .ticked")).to_have_text("8 ticked")
    page.locator("#library-previous").click()
    page.get_by_text("Page 1 of 2").wait_for()
    expect(rows(page).get_by_role("checkbox", checked=True)).to_have_count(1)
    expect(rows(page).nth(2).get_by_role("checkbox")).to_be_checked()

    (own_library / "Bounce" / "broken.mp4").write_bytes(b"\x00\x00\x00\x20ftypisom" + bytes(200))
    build_library(own_library, device="cpu")
    page = open_page(serve(own_library).url)
    open_library(page)
    page.get_by_text("1 file could not be indexed").click()
    page.get_by_role("button", name="Try again: Bounce/broken.mp4").click()
    page.get_by_text("Done: 0 videos added, 1 failed.").wait_for()
    page.get_by_role("button", name="Take off the list: Bounce/broken.mp4").click()
    expect(page.get_by_text("could not be indexed")).to_have_count(0)
    rows(page).nth(1).get_by_role("checkbox").check()
    page.locator("#library-remove").click()
    page.locator("#library-remove-yes").click()
    page.get_by_text("1 video has left the library.").wait_for()
    page.get_by_text("Page 1 of 1, 3 videos").wait_for()
    expect(page.locator("#library-ticks .ticked")).to_have_text("Nothing ticked")


def test_ticked_hits_of_two_pages_are_exported_and_all_shown_where_none_is_ticked(served: Served, open_page) -> None:
    page = open_page(served.url)
    page.locator("#examples .example").first.click()
    boxes = page.locator("#results li.card").get_by_role("checkbox")
    ticked = []
    for number in ("1", "2"):
        page.get_by_text(f"Page {number} of 3").wait_for()
        ticked.append(boxes.nth(1).get_attribute("data-tick"))
        boxes.nth(1).check()
        page.locator("#next-page").click()
    page.get_by_text("Page 3 of 3").wait_for()
    shown = [box.get_attribute("data-tick") for box in boxes.all()]
    assert exported(page) == ticked
    page.get_by_role("button", name="Untick all").locator("visible=true").click()
    assert exported(page) == shown


def exported(page) -> list[str]:
    for kind in ("Parquet", "JSON"):  # another kind takes an earlier file away
        page.locator("#results-kind input").click()
        page.get_by_role("option", name=kind).click()
    expect(page.locator("#results-file")).to_have_count(0)
    page.locator("#results-export").click()
    with page.expect_download() as download:
        page.locator("#results-file").click()
    return [row["id"] for row in json.loads(Path(download.value.path()).read_text())["videos"]]


def test_a_video_of_the_list_is_searched_by_its_link(served: Served, open_page) -> None:
    page = open_page(served.url)
    open_library(page)
    rows(page).nth(3).get_by_role("link").click()
    page.locator("#results li.card").first.wait_for()
    assert "video=" in page.url


def test_uploaded_videos_become_searchable(served_own: Served, open_page, new_video: Path) -> None:
    page = open_page(served_own.url)
    open_library(page)
    page.locator("#add-files input[type=file]").set_input_files(new_video)
    page.locator("#add-files .file-preview").wait_for()
    page.locator("#add-uploads").click()
    page.get_by_text("Done: 1 video added, 0 failed.").wait_for()
    page.get_by_text("Page 1 of 1, 5 videos").wait_for()
    expect(page.locator("#library-table")).to_contain_text("uploads/my_slide.mp4")
    page.get_by_role("tab", name="Search").click()
    page.locator("#query-video input[type=file]").set_input_files(new_video)
    page.locator("#results h3").get_by_text("my_slide.mp4").wait_for()


def test_what_is_no_video_is_refused(served_own: Served, open_page, tmp_path: Path) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("hello")
    page = open_page(served_own.url)
    open_library(page)
    page.locator("#add-files input[type=file]").set_input_files(text)
    page.locator("#add-files .file-preview").wait_for()
    page.locator("#add-uploads").click()
    assert_stays(page, "not a video file")


def test_a_folder_is_indexed_with_progress(
    served_own: Served, own_library: Path, sample_videos: Path, open_page
) -> None:
    shutil.copytree(sample_videos / "Spin", own_library / "Spins")
    page = open_page(served_own.url)
    open_library(page)
    page.locator("#add-folder input").click()
    page.get_by_role("option", name=str(own_library)).click()
    page.locator("#index-folder").click()
    expect(page.get_by_text("Done: 4 videos added, 0 failed.")).to_be_visible()
    expect(page.locator("#library-table").get_by_text("Spins/")).to_have_count(4)


def test_other_folders_are_refused(served_own: Served, open_page, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    page = open_page(served_own.url)
    open_library(page)
    page.locator("#add-folder input").fill(str(tmp_path / "secret"))
    page.locator("#add-folder input").press("Enter")
    page.locator("#index-folder").click()
    assert_stays(page, "allowed are folders in")


def test_a_build_is_watched_and_stopped(served_own: Served, own_library: Path, sample_videos: Path, open_page) -> None:
    for number in range(9):
        shutil.copytree(sample_videos, own_library / f"copy{number}")
        for video in (own_library / f"copy{number}").rglob("*.mp4"):
            video.write_bytes(video.read_bytes() + bytes(8 + number))  # other content: nothing to reuse
    page = open_page(served_own.url)
    open_library(page)
    served_own.services.builder.start(EDITOR, own_library)
    again = open_page(served_own.url)  # a page that is opened meanwhile shows the progress too
    again.get_by_role("tab", name="Library").click()
    again.locator("#build-status progress").wait_for()
    expect(again.locator("#build-status")).to_contain_text("of 292 videos")
    again.locator("#stop-build").click()
    again.get_by_text("Stopped; what is done is searchable").wait_for()


def test_an_empty_library_is_filled_from_the_page(tmp_path: Path, sample_videos: Path, open_page, serve) -> None:
    (tmp_path / "videos").mkdir()
    for video in sorted((sample_videos / "Spin").iterdir())[:2]:
        shutil.copy(video, tmp_path / "videos")
    Place.prepare(tmp_path / "index", None)
    page = open_page(serve(tmp_path / "index", folders=(tmp_path / "videos",)).url)
    page.get_by_role("tab", name="Library").click()
    page.get_by_text("There are no videos here yet.").locator("visible=true").wait_for()
    page.locator("#add-folder input").fill(str(tmp_path / "videos"))
    page.locator("#add-folder input").press("Enter")
    page.locator("#index-folder").click()
    expect(page.get_by_text("Done: 2 videos added, 0 failed.")).to_be_visible()
    page.get_by_role("tab", name="Search").click()
    page.locator("#examples .example").first.click()
    expect(page.locator("#results li.card")).to_have_count(2)
    expect(page.get_by_text("encoder is untrained")).to_have_count(0)  # but the one that comes with the package


@pytest.mark.slow
def test_ticked_videos_are_tagged_and_a_search_is_restricted_to_them(open_page, served_own) -> None:
    page = open_page(served_own.url)
    page.get_by_role("tab", name="Library").click()
    boxes = page.locator("#library-table input[data-tick]")
    boxes.nth(0).check()
    boxes.nth(1).check()
    page.locator("#library-tag textarea, #library-tag input").first.fill("to check <i>")
    page.get_by_role("button", name="Tag", exact=True).locator("visible=true").click()
    expect(page.get_by_text("2 videos have the tag to check <i> now.")).to_be_visible()
    page.goto(f"{served_own.url}?tab=search")
    page.locator("#examples .example").first.click()
    page.get_by_role("button", name="Filters").click()
    page.locator("#filter-tag input").click()
    page.get_by_role("option", name="to check <i>").click()
    page.get_by_text("2 videos ranked").wait_for()
    expect(page.locator("#results .chip.tag")).to_have_text(["to check <i>"] * 2)
    page.wait_for_url("**tag=to+check*")
    expect(page.locator("#search-tag")).to_be_hidden()
    page.locator("#results input[data-tick]").first.check()
    expect(page.locator("#search-tag")).to_be_visible()
