"""The table of ``compare_tasks``: means over seeds, intervals over recordings, gains, and published rows beside."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rspnet_core.pretext.motion_test import Labelled, searched
from rspnet_core.recognition.estimates import BOOTSTRAP_SAMPLES
from rspnet_core.reports.bootstrap import Interval, difference_intervals, draw_units, mean_intervals
from rspnet_core.tables.compare_tasks import UNTRAINED, Comparison
from rspnet_core.tables.published import published, published_table
from rspnet_core.tables.task_scores import MEASURES, Scores
from rspnet_core.video.store.frame_store import read_index

Document = dict[str, Any]
_RETRIEVAL = 4
"""The paper's table of retrieval."""
_PUBLISHED = {
    "clip_order": "ClipOrder",
    "cloze": "VCP",
    "speediness": "SpeedNet",
    "pace": "Pace",
    "rsp+avid": "RSPNet",
}
"""Row -> method of that table; of several networks the last, the paper's best."""
_TITLES = {"top_1": "top-1", "top_5": "top-5", "speed_ranking": "speed ranking", "faster_clip": "faster clip"}


def task_document(plan: Comparison, found: dict[str, dict[int, Scores]]) -> Document:
    """All rows as JSON, parts from 0 to 1; chance first."""
    recipe = plan.recipe_of(plan.tasks[0], plan.seeds[0])
    index, searched_index = read_index(plan.held_out), read_index(plan.gallery or plan.held_out)
    leave_out = index.shares_videos(searched_index)
    known, gallery = (Labelled.of([video.path for video in each.videos]) for each in (index, searched_index))
    recordings = [f"{label}/{group}" for label, group in zip(known.labels, known.groups, strict=True)]
    steps = recipe.epochs * -(-len(read_index(plan.learnt).videos) // recipe.batch_size)
    table = _Table(known, recordings)
    return {
        "learnt_from": plan.learnt.name,
        "held_out": plan.held_out.name,
        "against": searched(plan.gallery, leave_out=leave_out),
        "videos": len(index.videos),
        "recordings": len(set(recordings)),
        "steps": steps,
        "batch_size": recipe.batch_size,
        "clips": plan.num_clips,
        "published": {"title": published_table(_RETRIEVAL).title, "source": published().source},
        "rows": [
            {"task": "chance", "figures": table.chance(gallery, leave_out=leave_out), "published": None},
            *(table.row(name, scores, found[UNTRAINED]) for name, scores in found.items()),
        ],
    }


class _Table:
    def __init__(self, known: Labelled, recordings: Sequence[str]) -> None:
        self._known = known
        self._units = draw_units([str(number) for number in range(len(recordings))], recordings)[1]
        self._labels = np.unique(known.labels, return_inverse=True)[1]

    def chance(self, gallery: Labelled, *, leave_out: bool) -> Document:
        """What an order of the gallery by lot gets, exactly; ``leave_out`` takes the query's own recording out."""
        labels, groups = np.array(gallery.labels), np.array(gallery.groups)
        parts = []
        for label, group in zip(self._known.labels, self._known.groups, strict=True):
            kept = labels[groups != group] if leave_out else labels
            parts.append([hit_by_lot(len(kept), int((kept == label).sum()), k) for k in (1, 5)])
        top_1, top_5 = np.mean(parts, axis=0).tolist()
        values = {"top_1": top_1, "top_5": top_5, "speed_ranking": 0.5, "faster_clip": 0.5}
        return {name: {"value": value} for name, value in values.items()}

    def row(self, name: str, scores: dict[int, Scores], untrained: dict[int, Scores]) -> Document:
        """Figures of a row, with their gain over the untrained encoder."""
        network, quoted = _published(name)
        figures = {measure: self._figure(measure, scores) for measure in MEASURES}
        if name != UNTRAINED:
            for measure in MEASURES:
                figures[measure] |= self._gain(measure, scores, untrained)
        return {
            "task": name,
            "figures": figures,
            "published": None if quoted is None else {"network": network, **quoted},
        }

    def _figure(self, measure: str, scores: dict[int, Scores]) -> Document:
        values, rows = _values(measure, scores)
        units, classes = _numbered(self._units[rows]), _numbered(self._labels[rows])
        micro, _ = mean_intervals(values.mean(axis=0)[:, None], units, classes, samples=BOOTSTRAP_SAMPLES, seed=0)
        return {
            "value": float(values.mean()),
            "interval": None if micro is None else list(micro[0]),
            "seeds": values.mean(axis=1).tolist(),
            "videos": len(rows),
        }

    def _gain(self, measure: str, scores: dict[int, Scores], untrained: dict[int, Scores]) -> Document:
        (values, rows), (others, _) = _values(measure, scores), _values(measure, untrained)
        units = _numbered(self._units[rows])
        found = difference_intervals(others[..., None], values[..., None], units, samples=BOOTSTRAP_SAMPLES, seed=0)
        return {
            "gain": float(values.mean() - others.mean()),
            "gain_interval": None if found is None else list(found[0]),
        }


def hit_by_lot(num: int, right: int, k: int) -> float:
    """The chance that one of the first k of ``num`` videos in a random order is one of ``right``."""
    missed = 1.0
    for place in range(min(k, num)):
        missed *= max(num - right - place, 0) / (num - place)
    return 1 - missed


def _values(measure: str, scores: dict[int, Scores]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """float64 (seeds, n), and which n held-out videos: those that are long enough, by every seed alike."""
    values = np.array([scores[seed][measure] for seed in sorted(scores)], np.float64)  # None becomes NaN
    rows = np.flatnonzero(~np.isnan(values).any(axis=0))
    return values[:, rows], rows


def _numbered(values: NDArray[np.intp]) -> NDArray[np.intp]:
    return np.unique(values, return_inverse=True)[1]


def _published(task: str) -> tuple[str, dict[str, float] | None]:
    table = published_table(_RETRIEVAL)
    rows = [row for row in table.rows if row.method == _PUBLISHED.get(task)]
    if not rows:
        return "", None
    fractions = table.fractions(rows[-1])
    return rows[-1].architecture, {f"top_{k}": fractions[str(k)] for k in (1, 5)}


def task_markdown(document: Document) -> str:
    """The table for people, in percent; what is published is marked."""
    lines = [
        _line(["task", *_TITLES.values(), "top-1 over untrained", "each seed", "published† top-1, top-5"]),
        _line(["---"] * (len(_TITLES) + 4)),
    ]
    for row in document["rows"]:
        figures, quoted = row["figures"], row["published"]
        gain = figures["top_1"].get("gain")
        seeds = figures["top_1"].get("seeds", [])
        lines.append(
            _line(
                [
                    row["task"],
                    *(_percent(figures[name]["value"], figures[name].get("interval")) for name in _TITLES),
                    "" if gain is None else _percent(gain, figures["top_1"]["gain_interval"], sign="+"),
                    ", ".join(f"{100 * value:.1f}" for value in seeds) if len(seeds) > 1 else "",
                    f"{100 * quoted['top_1']:.1f}, {100 * quoted['top_5']:.1f} ({quoted['network']})" if quoted else "",
                ]
            )
        )
    lines += ["", f"† {document['published']['title']}: other data, networks and settings, not measured here"]
    return "\n".join(lines) + "\n"


def _percent(value: float, interval: Interval | None, *, sign: str = "") -> str:
    shown = f"{100 * value:{sign}.1f}"
    return shown if interval is None else f"{shown} ({100 * interval[0]:{sign}.0f} to {100 * interval[1]:{sign}.0f})"


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
