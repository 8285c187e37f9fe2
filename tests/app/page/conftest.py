"""A browser that looks at the app. It ends with this folder's tests: its event loop would disturb those of others."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

CHROMIUM = Path("/usr/bin/chromium-headless-shell")
CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WAIT_MILLISECONDS = 60_000
"""For what a page has to show: generous, because a busy machine is not a failed test."""


QUICK = {
    "test_an_uploaded_video_gets_hits_with_scores_and_moments",
    "test_a_slider_ranks_anew_without_embedding",
    "test_filters_and_pages",
    "test_a_phone_in_the_dark_shows_everything",
    "test_why_on_a_result_shows_both_videos_and_the_maps",
    "test_uploaded_videos_become_searchable",
    "test_a_point_opens_its_video",
    "test_an_example_of_the_report_is_explained",
}
"""In a browser each test takes seconds: these, some of each tab, are in the suite; the others are slow tests."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    in_browser = [item for item in items if item.path.match("tests/app/page/test_browser_*.py")]
    for item in in_browser:
        if item.name.partition("[")[0] not in QUICK:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="package")
def chromium():
    """Debian's Chromium without what draws windows, to be launched: it takes an eighth less time."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.is_file():
        pytest.skip(f"no browser at {CHROMIUM}; install it with `apt-get install {CHROMIUM.name}`")
    playwright.expect.set_options(timeout=WAIT_MILLISECONDS)
    with playwright.sync_playwright() as started:
        yield started.chromium


@pytest.fixture(scope="package")
def browser(chromium):
    """A browser without network but this machine's."""
    browser = chromium.launch(executable_path=str(CHROMIUM), args=CHROMIUM_ARGS)
    yield browser
    browser.close()


@pytest.fixture(scope="package")
def profile(chromium, tmp_path_factory: pytest.TempPathFactory):
    """A visitor's browser that keeps the page's scripts, compiled: half of the time of opening a page."""
    folder = tmp_path_factory.mktemp("profile")
    context = chromium.launch_persistent_context(folder, executable_path=str(CHROMIUM), args=CHROMIUM_ARGS)
    context.set_default_timeout(WAIT_MILLISECONDS)
    yield context
    context.close()


VIEW = {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"}


@pytest.fixture
def open_page(browser, profile, serve) -> Iterator[Callable]:
    """Open an address; the test fails on errors of the page's scripts and on requests to other machines.

    Each page is another visitor's, without what earlier tests have left. It asks for ``serve`` so that pages are closed
    before their servers: a page left alone reports failed requests.
    """
    pages, contexts, problems = [], [], []

    def new_page(view: dict):
        if not pages and view.keys() == VIEW.keys():
            profile.clear_cookies()
            page = profile.new_page()
            page.set_viewport_size(view["viewport"])
            page.emulate_media(color_scheme=view["color_scheme"])
            return page
        context = browser.new_context(**view)
        context.set_default_timeout(WAIT_MILLISECONDS)
        contexts.append(context)
        return context.new_page()

    def open_(url: str, **settings):
        page = new_page(VIEW | settings)
        pages.append(page)
        page.on("pageerror", lambda error: problems.append(f"script error: {error}"))
        page.on("console", lambda said: problems.append(said.text) if "Content Security Policy" in said.text else None)
        page.on("request", lambda request: problems.append(request.url) if _is_foreign(request.url) else None)
        page.goto(url)
        page.get_by_role("tab", name="Search").wait_for()
        return page

    yield open_
    for page in pages:
        page.evaluate("localStorage.clear()")
        page.close()
    for context in contexts:
        context.close()
    assert problems == []


def _is_foreign(url: str) -> bool:
    return not url.startswith(("http://127.0.0.1:", "data:", "blob:"))
