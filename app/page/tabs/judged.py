"""The test of the maps on the Why page: a verdict in words, its figures, and the curves of deletion and insertion."""

from collections.abc import Mapping, Sequence
from html import escape

from rspnet_core.explain.verdict import CURVE_SHARES, Faithfulness

JUDGED_CSS = """
ul { display: grid; grid-template-columns: repeat(auto-fit, minmax(17rem, 1fr)); gap: .8rem; margin: 0; padding: 0; }
li { margin: 0; padding: .8rem 1rem; list-style: none; }
li { border: 1px solid var(--border-color-primary); border-radius: 10px; }
svg { display: block; width: 100%; max-width: 22rem; height: auto; margin-top: .6rem; overflow: visible; }
polyline { fill: none; stroke-width: 2; }
.deleted { stroke: #ea580c; }
.inserted { stroke: #7c3aed; stroke-dasharray: 5 3; }
text { font-size: 11px; fill: var(--body-text-color); }
line { stroke: var(--border-color-primary); }
"""
_WIDTH, _HEIGHT = 240, 90


def judged(found: Mapping[str, Faithfulness]) -> str:
    """The figures of each map, by its title."""
    cards = "".join(f"<li>{_sentences(title, score)}{_curves(title, score)}</li>" for title, score in found.items())
    return f'<ul class="faithfulness" aria-label="Test of the maps" role="list">{cards}</ul>'


def _sentences(title: str, score: Faithfulness) -> str:
    draws, (low, high) = len(score.random_drops), score.beaten_interval
    beaten = round(score.beaten_share * draws)
    return (
        f"<b>{escape(title)}: {score.verdict}.</b> The similarity of the clips is {score.cosine:.3f}. With the area "
        f"hidden that the map marks ({score.area_share:.0%} of the clip) it falls by {score.drop:.4f}; with random "
        f"areas hidden by {score.random_drop_mean:.4f} on average. The map's area counts for more than {beaten} of "
        f"{draws} random ones (95 % interval {low:.0%} to {high:.0%}). Changes up to {score.noise_floor:.4f} are noise."
    )


def _curves(title: str, score: Faithfulness) -> str:
    """Both curves over the share of the clip, from the lowest to the highest of their cosines."""
    values = [*score.deletion, *score.insertion]
    low, high = min(values), max(values)

    def points(curve: Sequence[float]) -> str:
        heights = [_HEIGHT * (1 - (value - low) / ((high - low) or 1)) for value in curve]
        return " ".join(f"{_WIDTH * at:.1f},{height:.1f}" for at, height in zip(CURVE_SHARES, heights, strict=True))

    said = (
        f"{title}: similarity with more and more of the marked area hidden, {score.deletion_area:.3f} on average, and "
        f"with more and more of it shown, {score.insertion_area:.3f} on average"
    )
    return (
        f'<svg viewBox="-4 -16 {_WIDTH + 8} {_HEIGHT + 50}" role="img" aria-label="{escape(said)}">'
        f'<line x1="0" y1="{_HEIGHT}" x2="{_WIDTH}" y2="{_HEIGHT}"/><text x="0" y="-5">{high:.3f}</text>'
        f'<text x="0" y="{_HEIGHT + 12}">{low:.3f}, nothing</text>'
        f'<text x="{_WIDTH}" y="{_HEIGHT + 12}" text-anchor="end">the whole clip</text>'
        f'<polyline class="deleted" points="{points(score.deletion)}"/>'
        f'<polyline class="inserted" points="{points(score.insertion)}"/>'
        f'<text x="0" y="{_HEIGHT + 30}">solid: hidden, mean {score.deletion_area:.3f}; '
        f"dashed: shown, mean {score.insertion_area:.3f}</text></svg>"
    )
