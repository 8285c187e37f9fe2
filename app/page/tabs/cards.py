"""Videos as cards: a poster that becomes a player when pressed, scores, and buttons. Everything is escaped here."""

import math
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

from app.page.tabs.ticks import tick
from app.session.ranking import RankedPage
from indexer.catalogue.prediction import Prediction
from indexer.retrieval.chance import Chance
from indexer.retrieval.copy_marks import QUERY
from indexer.retrieval.rarity import MIX, percent_of_pairs
from indexer.retrieval.search import Hit, folded
from rspnet_core.text import printable

SCRIPT = Path(__file__).with_name("cards.js").read_text(encoding="utf-8")
"""For ``js_on_load`` of what shows cards."""
_DECADES = 5
"""A full bar is closer than 99.999 % of pairs."""


def poster(media_id: str, name: str, badges: str = "") -> str:
    """A button with the middle frame; the page's script puts a player in its place."""
    shown = escape(printable(name))
    return (
        f'<button type="button" class="poster" data-action="play" data-media="{escape(media_id)}" '
        f'aria-label="Play {shown}">'
        f'<img src="media/poster/{escape(media_id)}.jpg" alt="Middle frame of {shown}" loading="lazy" decoding="async">'
        f'<span class="play" aria-hidden="true"></span>{badges}</button>'
    )


def player(media_id: str, name: str, *, at_once: bool) -> str:
    """A player of our copy, which any browser plays; ``at_once`` it loads, else when it is played."""
    shown, media = escape(printable(name)), escape(media_id)
    return (
        f'<video controls muted loop playsinline preload="{"metadata" if at_once else "none"}" data-media="{media}" '
        f'poster="media/poster/{media}.jpg" src="media/video/{media}.mp4" aria-label="{shown}"></video>'
    )


def results(page: RankedPage, *, can_explain: bool) -> str:
    """The hits of a page as an ordered list."""
    if not page.hits:
        return empty("Nothing passes these filters.", "Choose “All” in one of them to see more.")
    cards = [
        (hit, _hit(hit, rank, page, buttons=_buttons(hit, page, can_explain), copies=copies))
        for rank, (hit, copies) in enumerate(folded(page.hits), page.first_rank)
    ]
    return _ranked(page, cards)


def compared(page: RankedPage, *, common: Container[str], address: Callable[[str], str]) -> str:
    """The hits of one of two libraries, without their copies, marked where they are not ``common``.

    ``address`` searches by one in both.
    """
    cards = [
        (hit, _hit(hit, rank, page, buttons=_link(hit, page, address), is_alone=hit.id not in common))
        for rank, (hit, _) in enumerate(folded(page.hits), page.first_rank)
    ]
    return _ranked(page, cards)


def _ranked(page: RankedPage, made: Sequence[tuple[Hit, str]]) -> str:
    """Cards in a list, with a line where hits begin to be no more than chance."""
    cards = [card for _, card in made]
    unusual = max((place for place, (hit, _) in enumerate(made, 1) if page.chance.exceeded_by(hit.score)), default=0)
    if page.chance.score is not None and unusual < len(cards):
        cards.insert(unusual, f'<li class="line">Below here nothing is unusual: {escape(str(page.chance))}.</li>')
    untold = [] if page.chance.score is not None else [_sentence(page.chance)]
    if page.recall < 1:
        untold.append(f"Not an exact search: it finds {page.recall:.1%} of the ten nearest.")
    notes = f'<p class="muted">{escape(" ".join(untold))}</p>' if untold else ""
    return f'<ol class="cards" start="{page.first_rank}" aria-label="Results, best first">{"".join(cards)}</ol>{notes}'


def _sentence(chance: Chance) -> str:
    said = str(chance)
    return f"{said[0].upper()}{said[1:]}."


def examples(videos: Iterable[tuple[str, str, str | None]]) -> str:
    """Videos to start with, as (id, name, label): one press searches."""
    buttons = []
    for video_id, called, label in videos:
        name = escape(printable(called))
        shown = escape(printable(label)) if label else name
        buttons.append(
            f'<button type="button" class="example" data-action="like" data-id="{escape(video_id)}" '
            f'title="{name}" aria-label="Search with the example {name}">'
            f'<img src="media/poster/{escape(video_id)}.jpg" alt="" loading="lazy"><span>{shown}</span></button>'
        )
    return f'<div class="examples" role="group" aria-label="Examples">{"".join(buttons)}</div>' if buttons else ""


def empty(title: str, advice: str = "") -> str:
    """What stands where results would."""
    return f'<div class="empty" role="status"><strong>{escape(title)}</strong><p>{escape(advice)}</p></div>'


def predicted(prediction: Prediction | None) -> str:
    """The class that the encoder gives a video, as one line; nothing where there is none."""
    return "" if prediction is None else f'<p class="predicted">predicted {escape(str(prediction))}</p>'


def clock(seconds: float) -> str:
    """3.2 as ``3.2 s``, 75 as ``1:15``."""
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _hit(
    hit: Hit, rank: int, page: RankedPage, *, buttons: str, copies: Sequence[Hit] = (), is_alone: bool = False
) -> str:
    name = escape(printable(page.names[hit.id]))
    duration = page.durations_seconds.get(hit.id)
    badges = f'<span class="badge rank" aria-hidden="true">{rank}</span>'
    if duration is not None:
        badges += f'<span class="badge duration" aria-hidden="true">{clock(duration)}</span>'
    chips = "".join(
        f'<span class="chip {kind}">{escape(printable(value))}</span>'
        for kind, value in _chips(hit, page.tags.get(hit.id, ()), is_alone)
        if value
    )
    return (
        f'<li class="card" data-id="{hit.id}" data-label="{escape(hit.label or "")}">'
        f'<div class="screen">{poster(hit.id, page.names[hit.id], badges)}</div>'
        f'<div class="facts"><h3 title="{escape(printable(hit.path))}">{name}</h3>'
        f'<div class="chips">{chips}</div>'
        f"{_copies(copies, page)}{predicted(hit.predicted)}{_rarity(hit)}{_scores(hit, page)}{_moment(hit, name)}"
        f"{buttons}{tick(hit.id, page.names[hit.id])}</div></li>"
    )


def _chips(hit: Hit, tags: Sequence[str], is_alone: bool) -> tuple[tuple[str, str | None], ...]:
    """Kind and text of each."""
    alone = "only here" if is_alone else None
    return (
        ("alone", alone),
        ("label", hit.label),
        ("split", hit.split),
        ("copy", _copy(hit)),
        *(("tag", tag) for tag in tags),
    )


def _copy(hit: Hit) -> str | None:
    return "the query or its copy" if hit.copy_of == QUERY else None


def _copies(copies: Sequence[Hit], page: RankedPage) -> str:
    """Copies of a hit, folded, each with a search by it."""
    if not copies:
        return ""
    buttons = "".join(
        f'<li><button type="button" data-action="like" data-id="{copy.id}" '
        f'aria-label="Search for videos like {escape(printable(page.names[copy.id]))}">'
        f"{escape(printable(page.names[copy.id]))}</button></li>"
        for copy in copies
    )
    count = "1 copy" if len(copies) == 1 else f"{len(copies)} copies"
    return f'<details class="copies"><summary>{count} of it</summary><ul>{buttons}</ul></details>'


def _rarity(hit: Hit) -> str:
    percentile = hit.percentiles[MIX]
    if percentile is None:
        return ""
    # each tenth of what is left counts the same: 90 %, 99 %, 99.9 %
    width = 100.0 if percentile >= 1 else min(-math.log10(1 - percentile) / _DECADES, 1) * 100
    return (
        f'<p class="rarity" title="the share of pairs of this library\'s videos that are less alike">'
        f'closer than {percent_of_pairs(percentile)} of pairs<span class="bar" style="--share:{width:.1f}%"></span></p>'
    )


def _scores(hit: Hit, page: RankedPage) -> str:
    rows = [f'<div class="total"><dt>score</dt><dd>{hit.score:.3f}</dd></div>']
    for part, share in page.shares.items():
        value = hit.scores[part]
        if value is None:
            continue
        used = "used" if share > 0 else "unused"
        width = max(0.0, min(1.0, value)) * 100
        rows.append(
            f'<div class="part {part} {used}" title="cosine of the {part} vectors, weight {share:.0%}">'
            f'<dt>{part}</dt><dd><span class="bar" style="--share:{width:.1f}%"></span>{value:.3f}</dd></div>'
        )
    return f'<dl class="scores">{"".join(rows)}</dl>'


def _moment(hit: Hit, name: str) -> str:
    if hit.start_seconds is None or hit.end_seconds is None:
        return ""
    span = f"{hit.start_seconds:.1f}–{hit.end_seconds:.1f} s"
    return (
        f'<button type="button" class="moment" data-action="moment" data-start="{hit.start_seconds:.2f}" '
        f'aria-label="Play {name} where it matches, {span}">matches at {span}</button>'
    )


def _link(hit: Hit, page: RankedPage, address: Callable[[str], str]) -> str:
    """The search by a hit in both libraries that are compared."""
    name = escape(printable(page.names[hit.id]))
    return (
        f'<div class="actions"><a href="{escape(address(hit.id))}" '
        f'aria-label="Compare what is found for {name}">More like this</a></div>'
    )


def _buttons(hit: Hit, page: RankedPage, can_explain: bool) -> str:
    name = escape(printable(page.names[hit.id]))
    why = (
        f'<button type="button" class="why" data-action="why" data-id="{hit.id}" '
        f'aria-label="Why does {name} match?">Why?</button>'
    )
    return (
        f'<div class="actions">{why if can_explain else ""}'
        f'<button type="button" data-action="like" data-id="{hit.id}" '
        f'aria-label="Search for videos like {name}">More like this</button></div>'
        f"{_example_buttons(hit, name)}"
    )


EXAMPLES = {
    "like": ("Also like", "+ like", "also like {}"),
    "unlike": ("Less like", "− unlike", "less like {}"),
    "look_of": ("With the look of", "◐ look", "what moves like the query and looks like {}"),
}
"""By what an example is to a question: the panel's words, those of a card's button, and what that searches."""
AS_EXAMPLE = "as-"
"""Begins the actions of these buttons."""


def _example_buttons(hit: Hit, name: str) -> str:
    """Ways to make the hit an example of the question beside its query."""
    buttons = "".join(
        f'<button type="button" data-action="{AS_EXAMPLE}{kind}" data-id="{hit.id}" '
        f'title="Search {searches.format("this")}" aria-label="Search {searches.format(name)}">{short}</button>'
        for kind, (_, short, searches) in EXAMPLES.items()
        if kind != "look_of" or hit.scores["appearance"] is not None
    )
    return f'<div class="examples-of" role="group" aria-label="Use {name} in this search">{buttons}</div>'


def example_chips(kind: str, names: Mapping[str, str]) -> str:
    """The examples of a question that are one kind, names by id, as buttons that take them away; empty for none."""
    buttons = "".join(
        f'<button type="button" class="chip filter {kind}" data-action="without" data-id="{escape(video_id)}" '
        f'aria-label="Search without {escape(name)}">{escape(name)}<span aria-hidden="true">×</span></button>'
        for video_id, name in names.items()
    )
    return f'<div class="chips filters"><span>{EXAMPLES[kind][0]}</span>{buttons}</div>' if buttons else ""
