from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from app.session.services import Services
from tests.app.conftest import Served


def open_map(open_page: Callable[..., Page], served: Served, **settings) -> Page:
    page = open_page(served.url, **settings)
    page.get_by_role("tab", name="Map").click()
    expect(page.get_by_text("32 videos", exact=True)).to_be_visible()
    return page


def place_of(page: Page, services: Services, number: int, space: str = "backbone") -> tuple[str, float, float]:
    """Path of a video, and where on the screen its point is."""
    videos, projection = services.projection(space)
    box = page.locator("#map canvas[tabindex]").bounding_box()
    half = min(box["width"], box["height"]) / 2 - 18
    x, y = projection.points[number].tolist()
    return videos[number].path, box["x"] + box["width"] / 2 + x * half, box["y"] + box["height"] / 2 - y * half


def alone(services: Services) -> int:
    """A video with no other within reach of the pointer."""
    _, projection = services.projection("backbone")
    points = projection.points
    distances = ((points[:, None] - points[None]) ** 2).sum(axis=2) ** 0.5
    return int((distances + 9 * (distances == 0)).min(axis=1).argmax())


def test_a_point_opens_its_video(open_page, served) -> None:
    page = open_map(open_page, served)
    path, x, y = place_of(page, served.services, alone(served.services))
    page.mouse.move(x, y)
    expect(page.locator("#map .tip")).to_contain_text(Path(path).name)
    page.mouse.click(x, y)
    card = page.get_by_role("region", name="Opened video")
    expect(card).to_contain_text(path)
    expect(card.locator("video")).to_have_js_property("error", None)
    page.wait_for_function("document.querySelector('#map-video video').readyState >= 1")
    longer = "text => { text.textContent = 'long'.repeat(60); return text.scrollWidth <= text.clientWidth; }"
    assert card.get_by_text(path).evaluate(longer)


def test_the_opened_video_leads_to_a_search_with_it(open_page, served) -> None:
    page = open_map(open_page, served)
    path, x, y = place_of(page, served.services, alone(served.services))
    page.mouse.click(x, y)
    page.get_by_role("link", name="Search with this video").click()
    expect(page.locator("#query")).to_contain_text(path.rpartition("/")[2])


def test_points_are_reached_and_opened_by_keyboard(open_page, served) -> None:
    page = open_map(open_page, served)
    page.locator("#map canvas[tabindex]").focus()
    page.keyboard.press("ArrowRight")
    first = page.locator("#map .spoken").inner_text()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowLeft")
    spoken = page.locator("#map .spoken").inner_text()
    assert "Press Enter to open" in first
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Opened video")).to_contain_text(spoken.partition(",")[0])


def test_the_list_holds_the_same_videos_and_is_narrowed_by_name_and_class(open_page, served) -> None:
    page = open_map(open_page, served)
    page.get_by_text("The same videos as a list").click()
    items = page.locator("#map .list button")
    expect(items).to_have_count(32)
    page.get_by_role("searchbox").fill("spin")
    expect(items).to_have_count(4)
    page.get_by_role("searchbox").fill("")
    page.get_by_role("group", name="Kinds").get_by_role("button", name="Zoom").click()
    expect(items).to_have_count(4)
    expect(page.get_by_text("4 of 32 videos")).to_be_visible()
    items.first.click()
    expect(page.get_by_role("region", name="Opened video")).to_contain_text("Zoom")


def test_another_space_gives_another_picture(open_page, served) -> None:
    page = open_map(open_page, served)
    before = page.locator("#map .axes").inner_text()
    page.get_by_label("Motion (RSP)").check()
    expect(page.locator("#map .axes")).not_to_have_text(before)
    expect(page.locator("#map .axes")).to_contain_text("PCA")


def test_the_map_fits_a_phone(open_page, served) -> None:
    page = open_page(served.url, viewport={"width": 390, "height": 844}, color_scheme="dark")
    page.locator(".overflow-menu button").first.click()
    page.locator(".overflow-dropdown").get_by_text("Map").click()
    expect(page.get_by_text("32 videos", exact=True)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.slow
def test_drawing_around_points_ticks_them_for_an_export(open_page, served, tmp_path: Path) -> None:
    page = open_map(open_page, served)
    page.locator("#map .by").select_option("length")
    expect(page.get_by_role("group", name="Kinds").get_by_role("button").first).to_contain_text("s")
    page.locator("#map .by").select_option("split")
    expect(page.get_by_role("group", name="Kinds").get_by_role("button")).to_contain_text(["train", "test"])
    path, x, y = place_of(page, served.services, alone(served.services))
    page.get_by_role("button", name="Draw around").click()
    page.mouse.move(x - 8, y - 8)
    page.mouse.down()
    for across, down in ((8, -8), (8, 8), (-8, 8)):
        page.mouse.move(x + across, y + down, steps=3)
    page.mouse.up()
    expect(page.locator("#map-ticks")).to_contain_text("1 ticked")
    with page.expect_download() as download:
        page.locator("#map-export").click()
        page.locator("#map-file").click()
    download.value.save_as(tmp_path / "videos.csv")
    lines = (tmp_path / "videos.csv").read_text().splitlines()
    assert len(lines) == 2
    assert path in lines[1]
    page.locator("#map canvas[tabindex]").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("x")
    expect(page.locator("#map-ticks")).to_contain_text("2 ticked")
