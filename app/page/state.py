"""What the tabs share: the query and the hit that is looked at, and how a tab is brought up to date."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import gradio as gr
from gradio.blocks import Block
from gradio.components import Component

ENCODER = "encoder"
"""The queue of all events that embed, of the page and of the API: one at a time."""

Updates = dict[Block, Any]
"""New values of some of an event's outputs, by component; the others stay as they are."""


@dataclass(frozen=True)
class SharedState:
    """Per visitor; made once by the page, inputs and outputs of any tab's events."""

    query: gr.State
    """``QueryHandle`` of the last search, or None."""
    hit_id: gr.State
    """Id of the video whose "Why?" was pressed, or None."""
    weights: gr.State
    """``PartWeights`` of the last ranking."""
    filters: gr.State
    """``Filters`` of the last ranking."""
    false_alarms: gr.State
    """The rate that its line of what is unusual obeys."""
    speed: gr.State
    """What it put first: faster, slower or None."""
    other: gr.State
    """Name of the library that is compared with, or None for the first one."""
    address: gr.HTML
    """The component ``address``: what the browser's address bar shall say, as ``content`` of ``search`` (the query of a
    link), ``name`` and ``is_link``, or of ``match`` (the id of a hit), or of ``other`` (the name of a library)."""
    tabs: gr.Tabs
    """Return ``gr.Tabs(selected="why")`` for it to go to a tab: search, why, compare, accuracy, map or library."""

    @property
    def asked(self) -> list[gr.State]:
        """The question and how it was ranked last."""
        return [self.query, self.weights, self.filters, self.false_alarms, self.speed]


@dataclass(frozen=True)
class TabHandles:
    """What the page does with a tab: ``refresh()`` gives new values for components among ``outputs``.

    It is called when the tab is shown for the first time, and when it is and a newer generation was published since.
    """

    refresh: Callable[[], Updates] = dict
    outputs: Sequence[Component] = field(default_factory=tuple)
    shown: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of an event that runs each time the tab is shown; empty for none."""
