"""What axe-core finds on the page: contrast, names, roles (WCAG 2.1, levels A and AA)."""

import pytest
from playwright.sync_api import expect

from tests.app.conftest import Served
from tests.app.page.test_browser_search import cards

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]


def violations(page) -> list[str]:
    """Each with its rule, one element and what is wrong with it; nothing is looked at while it fades."""
    page.add_style_tag(content="* { transition: none !important; animation: none !important; }")
    found = axe.Axe().run(page, options={"runOnly": LEVELS}).response["violations"]
    return [f"{each['id']}: {each['nodes'][0]['html']}\n{each['nodes'][0]['failureSummary']}" for each in found]


@pytest.mark.parametrize(
    ("theme", "view"),
    [
        ("light", {"width": 1280, "height": 900}),
        ("dark", {"width": 1280, "height": 900}),
        ("dark", {"width": 390, "height": 844}),
    ],
    ids=["light", "dark", "dark phone"],
)
def test_nothing_on_the_page_is_hard_to_read_or_without_a_name(
    served: Served, open_page, theme: str, view: dict
) -> None:
    page = open_page(served.url, color_scheme=theme, viewport=view, bypass_csp=True)  # axe comes as a script
    page.locator("#examples .example").first.wait_for(state="attached")
    assert violations(page) == []
    first, also, look = (video.id for video in served.services.videos(limit=3))
    page.goto(f"{served.url}?video={first}&like={also}&unlike={look}&split=train")
    expect(cards(page).first).to_be_visible()
    assert violations(page) == []
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    assert violations(page) == []
    for tab, shown in (
        (f"why&match={also}", "#pair video"),
        ("compare", "#compare-summary"),
        ("accuracy", "#report"),
        ("map", "#map canvas[tabindex]"),
        ("library", "#library-table tbody tr"),
    ):
        page.goto(f"{served.url}?video={first}&tab={tab}")
        if tab == "accuracy":
            page.get_by_role("button", name="Measure accuracy").click()
            expect(page.get_by_role("region", name="Retrieval report")).to_be_visible()
        page.locator(shown).first.wait_for(state="attached")
        page.wait_for_timeout(1000)
        assert violations(page) == [], tab
