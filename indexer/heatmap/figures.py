"""The figures of an explained pair: one JSON document, or one table."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from indexer.heatmap.explanation import PairExplanation, Side
from rspnet_core.explain.verdict import CURVE_SHARES, Faithfulness

SIDES = ("query", "match")

FaithfulnessOfBoth = Mapping[str, Mapping[str, Faithfulness]]
"""Head, then ``query`` or ``match``: whose clip was partly hidden."""


def heatmap_document(
    explanation: PairExplanation, threshold: float, judged: FaithfulnessOfBoth | None = None
) -> dict[str, Any]:
    """What ``heatmap --json`` prints of a pair; cosines, shares and drops are fractions."""
    return {
        "query": _clip(explanation.query),
        "match": _clip(explanation.match),
        "threshold": threshold,
        "heads": {
            head: {
                "cosine": explanation.cosines[head],
                "scale": list(explanation.scale(head)),
                **{side: _side(explanation, head, side, threshold, judged) for side in SIDES},
                "clip_similarities": explanation.similarities[head].tolist(),
            }
            for head in explanation.cosines
        },
    }


def heatmap_table(document: Mapping[str, Any]) -> Table:
    """A row for each head and video: what its rectangles hold, and how faithful the map is where that was asked."""
    judged = any("faithfulness" in figures["query"] for figures in document["heads"].values())
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    names = ["head", "video", "cosine", "map", "area"]
    for name in names + (["drop", "at random, 95 %", "beats", "noise", "verdict"] if judged else []):
        table.add_column(name, justify="left" if name in {"head", "video", "verdict"} else "right", no_wrap=True)
    for head, figures in document["heads"].items():
        for side in SIDES:
            shares = figures[side]
            cells = [head, side, f"{figures['cosine']:.3f}"]
            cells += [f"{shares['energy_share']:.0%}", f"{shares['area_share']:.0%}"]
            table.add_row(*map(Text, cells + (_faithfulness_cells(shares["faithfulness"]) if judged else [])))
    return table


def _clip(side: Side) -> dict[str, Any]:
    start, end = side.span_seconds
    return {"name": side.name, "clip": side.clip, "start_seconds": start, "end_seconds": end}


def _side(
    explanation: PairExplanation, head: str, side: str, threshold: float, judged: FaithfulnessOfBoth | None
) -> dict[str, Any]:
    shares = explanation.shares(getattr(explanation, side), head, threshold)
    figures: dict[str, Any] = {"energy_share": shares.energy, "area_share": shares.area}
    if judged is not None:
        figures["faithfulness"] = _faithfulness(judged[head][side])
    return figures


def _faithfulness(score: Faithfulness) -> dict[str, Any]:
    return {
        "hidden_share": score.area_share,
        "drop": score.drop,
        "random_drop_mean": score.random_drop_mean,
        "random_drop_interval": list(score.random_drop_interval),
        "random_drops": list(score.random_drops),
        "beaten_share": score.beaten_share,
        "beaten_interval": list(score.beaten_interval),
        "chance": score.chance,
        "noise_floor": score.noise_floor,
        "verdict": score.verdict,
        "curve_shares": list(CURVE_SHARES),
        "deletion": list(score.deletion),
        "deletion_area": score.deletion_area,
        "insertion": list(score.insertion),
        "insertion_area": score.insertion_area,
    }


def _faithfulness_cells(score: Mapping[str, Any]) -> list[str]:
    low, high = score["random_drop_interval"]
    draws = len(score["random_drops"])
    beaten = round(score["beaten_share"] * draws)
    return [
        f"{score['drop']:.4f}",
        f"{low:.4f} to {high:.4f}",
        f"{beaten} of {draws}",
        f"{score['noise_floor']:.4f}",
        score["verdict"],
    ]
