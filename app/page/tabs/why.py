"""Why: two videos side by side, how all their clips compare, and where in them each head's similarity comes from."""

from dataclasses import replace
from functools import lru_cache
from typing import Any

import gradio as gr

from app.page.components import component
from app.page.film import film, rectangles
from app.page.messages import notice, telling
from app.page.pairs import Pair, best_cell, clip_similarities, pair_content
from app.page.state import ENCODER, SharedState, TabHandles
from app.page.tabs.judged import JUDGED_CSS, judged
from app.session.queries import QueryHandle
from app.session.services import Services
from indexer.heatmap.explanation import DEFAULT_THRESHOLD, PairExplanation
from indexer.retrieval.search import PartWeights

_KEPT = 16  # explained pairs of clips; about 5 MB each at 112 pixels
_PROGRESS = gr.Progress()
_START = notice(
    "Press “Why?” on a result of a search, or write the ids of two videos below, to see what makes them alike.",
    kind="info",
)
_NO_HEADS = notice(
    "This library's encoder has no motion and appearance heads: clips are compared, and the heat map is drawn, by its "
    "backbone.",
    kind="info",
)
_TEST = (
    "Is a map true? Hide the quarter of the query's clip that it marks strongest and embed the clip again: if the map "
    "is true, the similarity falls further than when areas of the same shape are hidden elsewhere, up to a hundred of "
    "them. That takes a while."
)


class _Why:
    """The tab's events over the open library."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._explained = lru_cache(maxsize=_KEPT)(self._explain)

    def _explain(self, fingerprint: str, query: QueryHandle, match_id: str, cell: tuple[int, int]) -> PairExplanation:
        """``fingerprint`` makes an explanation by another encoder another one."""
        return self._services.explain(query, match_id, cell)

    def explanation(self, pair: Pair) -> PairExplanation:
        """Of the pair's clips; the latest ones are kept, so that the threshold's slider waits for nothing."""
        return self._explained(self._services.library.record.fingerprint, pair.query, pair.match_id, pair.cell)

    @property
    def _usual(self) -> PartWeights:
        """Where nothing was ranked: both heads, since the maps are theirs."""
        return PartWeights(backbone=0, motion=1, appearance=1) if self._services.has_heads else PartWeights()

    def meet(self, query: QueryHandle, match_id: str, weights: PartWeights) -> tuple[Any, ...]:
        """Show two videos by these weights; outputs are message, players with matrix, ids, and the pair."""
        similarities = clip_similarities(self._services, query, match_id)
        pair = Pair(query, match_id, weights, best_cell(similarities, weights))
        message = "" if self._services.has_heads else _NO_HEADS
        return message, pair_content(self._services, pair, similarities), query.video_id or "", match_id, pair

    def arrive(
        self, query: QueryHandle | None, match_id: str | None, weights: PartWeights | None, shown: Pair | None
    ) -> tuple[Any, ...]:
        """Show what was chosen in Search, by its weights, if that is something else than what is shown."""
        weights = weights or self._usual
        is_shown = shown and (shown.query, shown.match_id, shown.weights) == (query, match_id, weights)
        if query is None or match_id is None or is_shown:
            return (gr.skip(),) * 5
        return self.meet(query, match_id, weights)

    def compare(self, query_id: str, match_id: str, shown: Pair | None) -> tuple[Any, ...]:
        """Show two videos by their ids; no id of the query means the one that is shown."""
        if not query_id.strip() and shown is not None:
            return self.meet(shown.query, match_id.strip(), self._usual)
        return self.meet(self._services.stored(query_id.strip()), match_id.strip(), self._usual)

    def choose(self, shown: Pair, event: gr.EventData) -> Pair:
        """A cell of the matrix was pressed."""
        return replace(shown, cell=(int(event.query), int(event.match)))

    def maps(self, pair: Pair | None, threshold: float, progress: gr.Progress = _PROGRESS) -> tuple[Any, ...]:
        """Draw the heat maps; outputs are the maps, the threshold, the button of the test, and its figures."""
        if pair is None:
            return gr.HTML(value=None), gr.Slider(visible=False), gr.Column(visible=False), ""
        progress(0.2, desc="Drawing heat maps")
        explanation = self.explanation(pair)
        drawn = gr.HTML(value=film(explanation), boxes=rectangles(explanation, threshold))
        return drawn, gr.Slider(visible=True), gr.Column(visible=True), ""

    def outline(self, pair: Pair | None, threshold: float) -> Any:
        """Move the rectangles."""
        return gr.skip() if pair is None else gr.HTML(boxes=rectangles(self.explanation(pair), threshold))

    def test(self, pair: Pair, progress: gr.Progress = _PROGRESS) -> str:
        """Judge the maps of the query's clip."""
        found = {}
        explanation = self.explanation(pair)
        heads = explanation.cosines
        for number, head in enumerate(heads):
            title = explanation.titles[head]
            progress(number / len(heads), desc=f"Hiding parts: {title}")
            found[title] = self._services.faithfulness(pair.query, pair.match_id, head, pair.cell)
        return judged(found)


def why_tab(services: Services, app: gr.Blocks, state: SharedState) -> TabHandles:
    """Lay the tab out; called inside its ``gr.Tab``."""
    why = _Why(services)
    shown = gr.State(None)
    message = gr.HTML(_START, elem_id="why-message")
    players = component("pair", elem_id="pair")
    with gr.Row():
        threshold = gr.Slider(
            0, 1, DEFAULT_THRESHOLD, step=0.05, label="Rectangles around what is brighter than", visible=False,
            info="of the colour scale", elem_id="threshold", buttons=[],
        )  # fmt: skip
    maps = component("film", elem_id="film", boxes=None)
    with gr.Column(visible=False) as testing:
        gr.Markdown(_TEST)
        test = gr.Button("Test the maps", size="sm", elem_id="test-maps")
        figures = gr.HTML(elem_id="faithfulness", css_template=JUDGED_CSS)
    with gr.Accordion("Compare two videos by their ids", open=False, elem_id="by-ids"), gr.Row(equal_height=False):
        query_id = gr.Textbox(label="Query", placeholder="16 hex digits; empty keeps the query", elem_id="query-id")
        match_id = gr.Textbox(label="Match", placeholder="16 hex digits", elem_id="match-id")
        compare = gr.Button("Compare", elem_id="compare")

    outputs = [message, players, query_id, match_id, shown]
    for arrives in (state.hit_id.change, players.seen):
        arrives(
            telling(why.arrive), [state.query, state.hit_id, state.weights, shown], outputs,
            concurrency_id="why", concurrency_limit=1, api_visibility="private", show_progress_on=players,
        )  # fmt: skip
    gr.on(
        [compare.click, query_id.submit, match_id.submit],
        telling(why.compare), [query_id, match_id, shown], outputs,
        concurrency_id="why", concurrency_limit=1, api_visibility="private",
    )  # fmt: skip
    players.pick(telling(why.choose), shown, shown, show_progress="hidden", api_visibility="private")
    shown.change(
        telling(why.maps), [shown, threshold], [maps, threshold, testing, figures],
        concurrency_id=ENCODER, api_visibility="private", show_progress_on=maps,
    )  # fmt: skip
    threshold.input(
        telling(why.outline), [shown, threshold], maps,
        trigger_mode="always_last", show_progress="hidden", api_visibility="private",
    )  # fmt: skip
    test.click(telling(why.test), shown, figures, concurrency_id=ENCODER, api_visibility="private")
    return TabHandles()
