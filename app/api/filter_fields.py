"""The filters that endpoints take: their fields, and what the values of these mean."""

from typing import cast

import gradio as gr
from gradio.components import Component

from indexer.retrieval.bounds import read_date
from indexer.retrieval.filters import Filters, LeaveOut


def filter_fields() -> list[Component]:
    """In the order of ``filters_of``: programs give values by place, so what an endpoint takes anew is behind these."""
    return [
        gr.Textbox("", label="label: only this class"),
        gr.Textbox("", label="split: only train, test or val"),
        gr.Textbox("", label="folder: only below this folder"),
        gr.Number(None, label="min_seconds: only videos at least this long"),
        gr.Number(None, label="max_seconds: only videos at most this long"),
        gr.Number(None, label="min_mb: only files of at least so many megabytes"),
        gr.Number(None, label="max_mb: only files of at most so many megabytes"),
        gr.Textbox("", label="since: only files of this day (UTC) or later, as 2026-03-01, or of a moment"),
        gr.Textbox("", label="until: only files of this day or earlier"),
        gr.Textbox("", label="added_since: only videos first indexed on this day or later"),
        gr.Textbox("", label="leave_out: group or recording, the query's own"),
        gr.Textbox("", label="tag: only videos with this tag"),
    ]


def filters_of(
    label: str,
    split: str,
    folder: str,
    min_seconds: float | None,
    max_seconds: float | None,
    min_mb: float | None,
    max_mb: float | None,
    since: str,
    until: str,
    added_since: str,
    leave_out: str,
    tag: str,
) -> Filters:
    """Empty text restricts nothing."""
    return Filters(
        label=label or None,
        split=split or None,
        folder=folder or None,
        min_seconds=min_seconds,
        max_seconds=max_seconds,
        min_mb=min_mb,
        max_mb=max_mb,
        since=read_date("since", since or None),
        until=read_date("until", until or None),
        added_since=read_date("added_since", added_since or None),
        leave_out=cast(LeaveOut | None, leave_out or None),
        tag=tag or None,
    )
