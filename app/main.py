"""The page: its tabs in their order, what they share, and when they are brought up to date."""

import os
import sys
from collections.abc import Callable
from html import escape
from typing import Any

import gradio as gr
from gradio.block_function import BlockFunction

from app.api.endpoints import add_endpoints
from app.page.components import component
from app.page.messages import notice
from app.page.state import SharedState, TabHandles, Updates
from app.page.tabs.accuracy import accuracy_tab
from app.page.tabs.compare import compare_tab
from app.page.tabs.library import library_tab
from app.page.tabs.map import map_tab
from app.page.tabs.search import search_tab
from app.page.tabs.why import why_tab
from app.serving.visitors import visitor_of
from app.session.services import Services

Tab = Callable[[Services, gr.Blocks, SharedState], TabHandles]

TABS: tuple[tuple[str, str, Tab], ...] = (
    ("search", "Search", search_tab),
    ("why", "Why", why_tab),
    ("compare", "Compare", compare_tab),
    ("accuracy", "Accuracy", accuracy_tab),
    ("map", "Map", map_tab),
    ("library", "Library", library_tab),
)

MOST_WAITING = 100
"""Events that wait for their turn; one more is told to come again."""
_THREADS = 16
"""For events; their own, so that pictures and downloads have theirs."""
_NOT_TAKEN = "a value that was sent is none that this event takes"
_OPENED = "() => {{ document.dispatchEvent(new CustomEvent('rspnet:tab', {{detail: '{}'}})); }}"
"""For the component ``address``: which tab is open."""
_UNTRAINED = (
    "This library's encoder is untrained (random weights): take its results as a baseline. "
    "Build the library with --weights official:resnet18, or with a file of your own."
)


def create_app(services: Services) -> gr.Blocks:
    """The page over an open library, not yet served."""
    # Gradio makes a table of all past events after each one, with pandas: by the thousandth, a second of it each time.
    os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = str(sys.maxsize)
    app: gr.Blocks
    with Page(title="rspnet: find videos", analytics_enabled=False, fill_width=True) as app:
        header = gr.HTML(_header(), elem_id="header")
        app.load(_greeting, None, header, show_progress="hidden", api_visibility="private")
        banner = gr.HTML(_banner(services), elem_id="banner")
        names = ("query", "hit_id", "weights", "filters", "false_alarms", "speed", "other")
        kept = {name: gr.State(None) for name in names}  # inside of Tabs they would be tabs
        address = component("address", elem_id="address")
        with gr.Tabs(selected="search") as tabs:
            state = SharedState(**kept, address=address, tabs=tabs)
            for tab_id, title, lay_out in TABS:
                with gr.Tab(title, id=tab_id, elem_id=f"tab-{tab_id}") as tab:
                    handles = lay_out(services, app, state)
                    _keep_fresh(services, tab, banner, handles)
                    tab.select(None, js=_OPENED.format(tab_id), api_visibility="private")
        add_endpoints(services)
    app.max_threads = _THREADS
    app.queue(default_concurrency_limit=4, max_size=MOST_WAITING, api_open=False)
    return app


class Page(gr.Blocks):
    """Gradio's page, which says of a value that it does not take no more than that.

    A program may leave out the last values of an endpoint, as one that knows an older version does: they are None.
    """

    async def preprocess_data(self, block_fn: BlockFunction, inputs: list[Any], *args: Any, **kwargs: Any) -> list[Any]:
        """The values of an event, checked by their components; the errors of some repeat what was sent."""
        try:
            if block_fn.api_visibility == "public":
                inputs = [*inputs, *[None] * (len(block_fn.inputs) - len(inputs))]
            values: list[Any] = await super().preprocess_data(block_fn, inputs, *args, **kwargs)
        except Exception as error:
            raise gr.Error(_NOT_TAKEN, print_exception=False) from error
        return values


def _keep_fresh(services: Services, tab: gr.Tab, banner: gr.HTML, handles: TabHandles) -> None:
    """Bring a tab up to date when it is shown: first on a page (one of them as it opens), and after a publication."""
    seen = gr.State(None)

    def show(generation: str | None) -> Updates:
        services.reload()
        if generation == services.generation:
            return {seen: gr.skip()}
        return {seen: services.generation, banner: _banner(services), **handles.refresh()}

    tab.select(show, seen, [seen, banner, *handles.outputs], show_progress="hidden", api_visibility="private")
    if handles.shown:
        tab.select(**handles.shown)


def _greeting(request: gr.Request) -> str:
    visitor = visitor_of(request)
    return _header(visitor.name, is_editor=visitor.role == "editor")


def _header(user: str | None = None, *, is_editor: bool = False) -> str:
    """The title, and who is logged in, with a way out; what is marked so on the page is there for editors alone."""
    login = (
        f'<form class="login" method="post" action="logout"><span>{escape(user)}</span><button>Log out</button></form>'
        if user
        else ""
    )
    title = "<h1>rspnet</h1><p>Find videos by what moves and by what is seen</p>"
    keys = '<button type="button" class="show-keys" aria-haspopup="dialog" aria-keyshortcuts="?">Keys</button>'
    marked = "app-header for-editors" if is_editor else "app-header"
    return f'<header class="{marked}">{title}<div class="app-actions">{keys}{login}</div></header>'


def _banner(services: Services) -> str:
    return notice(_UNTRAINED, kind="warning") if services.is_untrained else ""
