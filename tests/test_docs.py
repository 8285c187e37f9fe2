"""The manual: it builds without a warning, and reading it asks nothing of the net."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

INERT = {
    r"https?://www\.w3\.org/": "names of formats, not addresses",
    r"https://[\w.]+/mermaid@": "loaded for diagrams, elements of the class mermaid",
    r"https://[\w.]+/resize-observer-polyfill": "loaded where a browser has no ResizeObserver (before 2020)",
    r"https://(api\.github|gitlab)\.com": "asked where a page names its repository",
}
"""Addresses in the theme's scripts, and why none of them is asked."""
LOADING = {
    "audio": "src",
    "embed": "src",
    "iframe": "src",
    "image": "href",
    "img": "src",
    "input": "src",
    "link": "href",
    "object": "data",
    "script": "src",
    "source": "src",
    "track": "src",
    "use": "href",
    "video": "src",
}
FOREIGN = re.compile(r"\s*(?:[a-z][a-z0-9+.-]*:)?//", re.IGNORECASE)


class Page(HTMLParser):
    """What a page loads, the classes of its elements, its styles and its scripts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.classes: set[str] = set()
        self.components: set[str] = set()
        self.styles: list[str] = []
        self._inside = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag
        values = {name: value or "" for name, value in attrs}
        self.classes |= set(values.get("class", "").split())
        self.components.add(values.get("data-md-component", ""))
        self.styles.append(values.get("style", ""))
        if tag == "link" and values.get("rel") in {"prev", "next", "canonical"}:
            return
        names = {LOADING.get(tag, ""), "srcset", "poster", "background"}
        self.loads += [value for name, value in values.items() if name in names]

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "style":
            self.styles.append(data)


def loaded_by_styles(text: str) -> Iterator[str]:
    yield from re.findall(r"url\(\s*['\"]?([^'\")]+)", text)
    yield from re.findall(r"@import\s+['\"]([^'\"]+)", text)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The manual, built as ``make docs`` does it, where nothing can be fetched."""
    folder = tmp_path_factory.mktemp("site")
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=REPOSITORY,
        env=os.environ | nowhere,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[str, Page]:
    return {path.relative_to(site).as_posix(): Page(path.read_text()) for path in site.rglob("*.html")}


def test_every_page_is_built(pages: dict[str, Page]) -> None:
    assert {f"{path.stem}.html" for path in REPOSITORY.glob("docs/*.md")} <= set(pages)


def test_no_page_loads_anything_from_the_net(pages: dict[str, Page]) -> None:
    assert all(page.loads for page in pages.values())
    foreign = [address for page in pages.values() for address in page.loads if FOREIGN.match(address)]
    styles = [address for page in pages.values() for text in page.styles for address in loaded_by_styles(text)]
    assert foreign + [address for address in styles if FOREIGN.match(address)] == []


def test_what_a_page_loads_is_there(site: Path, pages: dict[str, Page]) -> None:
    for name, page in pages.items():
        for address in page.loads:
            if name != "404.html" and not address.startswith(("data:", "#")):
                assert ((site / name).parent / address.partition("?")[0].partition("#")[0]).exists(), (
                    f"{name}: {address}"
                )


def test_no_style_loads_anything_from_the_net(site: Path) -> None:
    for path in site.rglob("*.css"):
        assert [each for each in loaded_by_styles(path.read_text()) if FOREIGN.match(each)] == [], path.name


def test_scripts_ask_nothing_of_the_net(site: Path, pages: dict[str, Page]) -> None:
    """The theme's scripts name a few addresses; none of what would ask them is on a page."""
    for path in site.rglob("*.js"):
        if path.name == "search_index.js":  # text of the pages
            continue
        quoted = set(re.findall(r"[\"'`](https?://[\w./@-]+)", path.read_text()))
        strange = {each for each in quoted if not any(re.match(known, each) for known in INERT)}
        assert strange == set(), path.name
    classes = set().union(*(page.classes for page in pages.values()))
    components = set().union(*(page.components for page in pages.values()))
    assert "mermaid" not in classes
    assert "source" not in components


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_reads_and_searches_it_without_a_server(site: Path, scheme: str) -> None:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = Path("/usr/bin/chromium-headless-shell")
    if not chromium.is_file():
        pytest.skip(f"no browser; install it with `apt-get install {chromium.name}`")
    asked: list[str] = []
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=str(chromium), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 390, "height": 800}, color_scheme=scheme)
        page.on("request", lambda request: asked.append(request.url))
        page.goto((site / "index.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        page.locator("label[for=__search]").first.click()
        page.locator("input[name=query]").press_sequentially("margin")  # it listens to keys
        page.locator(".md-search-result__link").first.wait_for()
        browser.close()
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:", "about:"))] == []
