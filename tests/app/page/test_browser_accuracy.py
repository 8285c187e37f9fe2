import json
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.app.conftest import Served


def measured(open_page: Callable[..., Page], served: Served, **settings) -> Page:
    page = open_page(served.url, **settings)
    page.get_by_role("tab", name="Accuracy").click()
    page.get_by_role("button", name="Measure accuracy").click()
    expect(page.get_by_role("region", name="Retrieval report")).to_be_visible()
    return page


def test_the_report_shows_figures_curve_classes_confusion_and_examples(open_page, served) -> None:
    page = measured(open_page, served)
    report = page.get_by_role("region", name="Retrieval report")
    document, _ = served.services.report()
    expect(report.locator(".card").first).to_contain_text(f"{100 * document['top_k']['1']:.1f}")
    expect(report.get_by_role("img", name="Line plot of top-k accuracy").first).to_be_visible()
    expect(report.get_by_role("region", name="Accuracy table")).to_contain_text("RSPNet")
    expect(report.locator("table.classes tbody tr")).to_have_count(8)
    expect(report.get_by_role("img", name="Confusion matrix")).to_be_visible()
    picture = report.locator(".queries img").first
    picture.scroll_into_view_if_needed()
    expect(picture).to_have_js_property("complete", True)
    assert picture.evaluate("image => image.naturalWidth") > 0


def test_the_split_and_the_weights_can_be_chosen(open_page, served) -> None:
    page = open_page(served.url)
    page.get_by_role("tab", name="Accuracy").click()
    page.get_by_label("Split").click()
    page.get_by_role("option", name="Split 2").click()
    for part, value in (("Backbone", "0"), ("Motion", "1")):
        page.get_by_label(f"number input for {part} weight").fill(value)
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Measure accuracy").click()
    protocol = page.get_by_role("region", name="Retrieval report").locator("#protocol")
    expect(protocol.locator("dt", has_text="fold").locator("+ dd")).to_have_text("2")
    expect(protocol.locator("dt", has_text="motion").locator("+ dd")).to_have_text("1.0")


def test_the_report_is_downloaded_as_page_and_as_figures(open_page, served, tmp_path: Path) -> None:
    page = measured(open_page, served)
    for kind in ("html", "json"):
        with page.expect_download() as download:
            page.get_by_text(f"Download report.{kind}").click()
        assert download.value.suggested_filename == f"report.{kind}"
        download.value.save_as(tmp_path / f"report.{kind}")
    assert json.loads((tmp_path / "report.json").read_text())["queries"] == served.services.report()[0]["queries"]
    text = (tmp_path / "report.html").read_text()
    assert "data:image/jpeg;base64," in text
    assert "media/poster" not in text


def test_an_example_of_the_report_is_explained(open_page, served) -> None:
    page = measured(open_page, served)
    hit = page.get_by_role("region", name="Retrieval report").get_by_role("button", name="Why?").first
    match = hit.locator("img").get_attribute("data-video")
    hit.click()
    expect(page.get_by_role("tab", name="Why")).to_have_attribute("aria-selected", "true")
    expect(page.locator("#pair video").nth(1)).to_have_attribute("src", f"media/video/{match}.mp4")


def test_weights_that_are_all_zero_give_a_message(open_page, served) -> None:
    page = open_page(served.url)
    page.get_by_role("tab", name="Accuracy").click()
    page.get_by_label("number input for Backbone weight").fill("0")
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Measure accuracy").click()
    expect(page.get_by_text("at least one weight must be positive")).to_be_visible()


def test_the_report_follows_the_theme_and_fits_a_phone(open_page, served) -> None:
    page = open_page(served.url, viewport={"width": 390, "height": 844}, color_scheme="dark")
    page.locator(".overflow-menu button").first.click()
    page.locator(".overflow-dropdown").get_by_text("Accuracy").click()
    page.get_by_role("button", name="Measure accuracy").click()
    report = page.get_by_role("region", name="Retrieval report")
    expect(report.locator(".card").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert report.evaluate("host => getComputedStyle(host).getPropertyValue('--ink')").strip() == "#e8edf1"
