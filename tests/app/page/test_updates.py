"""What a ranking changes on the page is named by component."""

import gradio as gr

from app.page.tabs.ranked import Ranking
from app.page.tabs.search_layout import lay_out
from tests.app.conftest import Served


def test_a_ranking_changes_all_of_its_outputs_by_name(served: Served) -> None:
    with gr.Blocks():
        parts = lay_out(served.services)
    found = Ranking("<li>", "4 videos", page=3, num_pages=3).updates(parts)
    none = Ranking("nothing").updates(parts)
    assert {*found} == {*none} == {*parts.ranked}
    assert (found[parts.results], found[parts.summary], found[parts.page]) == ("<li>", "4 videos", 3)
    assert found[parts.position] == "Page 3 of 3"
    assert (found[parts.previous].interactive, found[parts.following].interactive) == (True, False)
    assert (none[parts.results], none[parts.position], none[parts.page]) == ("nothing", "", 1)
    assert not none[parts.previous].visible and not none[parts.following].visible
