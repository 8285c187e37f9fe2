"""Videos with a picture and a name each, in one page without a server: hits in a notebook, a list as a file."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from indexer.retrieval.posters import POSTER_HEIGHT, data_address, read_poster
from indexer.retrieval.rarity import percent_of_pairs
from rspnet_core.text import printable, told_apart
from rspnet_core.video.reading.sandbox import DecodePool

if TYPE_CHECKING:
    from indexer.retrieval.search import Hit, SearchResult

_SHEET = Markup('<p>{title}</p><div style="display:flex;flex-wrap:wrap;gap:12px">{cards}</div>')
_CARD = Markup(
    '<figure style="margin:0;width:min-content;min-width:11em">{picture}'
    '<figcaption style="overflow-wrap:anywhere"><b>{rank}. {name}</b><br>{facts}</figcaption></figure>'
)
_PICTURE = Markup('<img src="{address}" alt="Middle frame of {name}" height="{height}" style="display:block">')
_PAGE = Markup(
    '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
    'style-src \'unsafe-inline\'"><meta name="color-scheme" content="light dark"><title>{title}</title>'
    '<body style="font:14px system-ui,sans-serif;margin:16px">{sheet}</body></html>'
)
_NONE = Markup('<div style="height:{height}px">no picture</div>')


def contact_sheet(result: "SearchResult") -> str:
    """The hits as HTML without scripts or addresses of other machines; names are escaped.

    The files are read now, by a decoder process of their own; one that cannot be read has no picture.
    """
    names = told_apart([hit.path for hit in result])
    with DecodePool(1) as pool:
        pictures = [read_poster(pool, Path(hit.path)) for hit in result]
    cards = Markup("").join(
        _card(rank, printable(name), hit, jpeg)
        for rank, (name, hit, jpeg) in enumerate(zip(names, result, pictures, strict=True), start=1)
    )
    return str(_SHEET.format(title=title_of(result), cards=cards))


def title_of(result: "SearchResult") -> str:
    """What the hits are like, and by which parts; not escaped."""
    asked = Path(result.query.get("path", "")).name
    weights = ", ".join(f"{part} {share:.0%}" for part, share in result.query["weights"].items() if share)
    return f"Most like {printable(asked)} by {weights}"


def sheet_page(title: str, videos: Iterable[tuple[str, list[str], bytes | None]]) -> str:
    """A page of its own that loads nothing: of each video its name, some facts, and a JPEG or None."""
    cards = Markup("").join(
        _filled(rank, printable(name), map(printable, facts), jpeg)
        for rank, (name, facts, jpeg) in enumerate(videos, start=1)
    )
    return str(_PAGE.format(title=title, sheet=_SHEET.format(title=title, cards=cards)))


def _card(rank: int, name: str, hit: "Hit", jpeg: bytes | None) -> Markup:
    facts = [printable(hit.label) if hit.label else None, f"score {hit.score:.3f}"]
    if (rare := hit.percentiles["mix"]) is not None:
        facts.append(f"closer than {percent_of_pairs(rare)} of pairs")
    if hit.start_seconds is not None:
        facts.append(f"{hit.start_seconds:.1f} to {hit.end_seconds:.1f} s")
    return _filled(rank, name, filter(None, facts), jpeg)


def _filled(rank: int, name: str, facts: Iterable[str], jpeg: bytes | None) -> Markup:
    picture = (
        _PICTURE.format(address=data_address(jpeg), name=name, height=POSTER_HEIGHT)
        if jpeg
        else _NONE.format(height=POSTER_HEIGHT)
    )
    return _CARD.format(picture=picture, rank=rank, name=name, facts=Markup("<br>").join(facts))
