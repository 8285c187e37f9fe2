"""Tables that ``rspnet-index`` shows on a terminal: the hits of a search, the facts of a library."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from indexer.catalogue.catalogue import VideoRow
from indexer.ingest.roots import DataFolder
from indexer.retrieval.rarity import MIX, percent_of_pairs
from indexer.retrieval.search import SearchResult, folded
from rspnet_core.text import printable, told_apart

_PAIRS = "pairs below"
"""Share of the library's pairs of videos that are less alike than query and hit."""


def hits_table(result: SearchResult) -> Table:
    """Hits with the score of each part, best first."""
    shares = ", ".join(f"{name} {share:.0%}" for name, share in result.query["weights"].items() if share)
    title = f"{_question(result.query)}{_left_out(result.query)} by {shares}"
    table = plain_table(f"{title}\nquery: predicted {result.predicted}" if result.predicted else title)
    for name in ("", "id", "video", "label", "split", "score", *result.parts, _PAIRS):
        is_number = name in {"", "score", *result.parts, _PAIRS}
        table.add_column(name, justify="right" if is_number else "left", overflow="fold")
    if result.has_classes:
        table.add_column("predicted")
    if any(hit.start_seconds is not None for hit in result.hits):
        table.add_column("moment")
    names = dict(zip((hit.id for hit in result.hits), told_apart([hit.path for hit in result.hits]), strict=True))
    shown = folded(result.hits)
    for place, (hit, _) in enumerate(shown, 1):
        name = names[hit.id]
        cells = [str(place), hit.id, printable(name), printable(hit.label or ""), hit.split or ""]
        cells += [f"{hit.score:.3f}", *(f"{hit.scores[part]:.3f}" for part in result.parts)]
        cells.append(percent_of_pairs(hit.percentiles[MIX]))
        if result.has_classes:
            cells.append(str(hit.predicted or ""))
        if hit.start_seconds is not None:
            cells.append(f"{hit.start_seconds:.1f}-{hit.end_seconds:.1f} s")
        table.add_row(*map(Text, cells))
    copies = [
        f"copies of {place}: {', '.join(printable(names[copy.id]) for copy in copies)}"
        for place, (_, copies) in enumerate(shown, 1)
        if copies
    ]
    told = [*copies, _what_is_unusual(result)]
    if result.recall < 1:
        told.append(f"not an exact search{_found(result.recall)}")
    table.caption, table.caption_justify = Text("\n".join(told)), "left"
    return table


def _question(query: Mapping[str, Any]) -> str:
    """What was asked for, by the ids or file names of its examples."""
    asked, look = _called(query), query.get("look_of")
    if look is not None:
        return f"Motion of {asked}, look of {_called(look)},"
    asked = f"{asked}, {query['speed']}," if "speed" in query else asked
    like = " and ".join([asked, *map(_called, query.get("like", ()))])
    unlike = " and ".join(map(_called, query.get("unlike", ())))
    return f"Most like {like}, less like {unlike}," if unlike else f"Most like {like}"


def _left_out(query: Mapping[str, Any]) -> str:
    if "left_out" not in query:
        return ""
    left = query["left_out"]
    return f" without {left['kind']} {printable(left['name'])}" + (
        "" if left["groups"] else " (of which there is none)"
    )


def _called(example: Mapping[str, Any]) -> str:
    return printable(example.get("id") or Path(example["path"]).name)


def _what_is_unusual(result: SearchResult) -> str:
    """Down to which hit the scores are more than chance gives."""
    shown = folded(result.hits)
    unusual = max((place for place, (hit, _) in enumerate(shown, 1) if result.chance.exceeded_by(hit.score)), default=0)
    if result.chance.score is None or unusual == len(shown):
        return str(result.chance)
    return (
        f"{result.chance}: below hit {unusual} nothing is unusual" if unusual else f"{result.chance}: no hit is unusual"
    )


def _found(recall: float) -> str:
    """How much of what an exact search finds, of an index that is not exact."""
    return "" if recall == 1 else f", finds {recall:.1%} of the ten nearest (measured when it was published)"


def info_table(document: Mapping[str, Any], noted: list[VideoRow]) -> Table:
    """What ``info`` shows: a line a fact, then the failed files with their reasons."""
    encoder = document["encoder"]
    facts = {
        "videos": "{indexed} indexed, {failed} failed".format(**document["videos"]),
        "clips": document["clips"],
        "encoder": f"{encoder['backbone']}, {encoder['weights']}, pooling {encoder['pooling']}"
        + (f", predicts {encoder['classes']} classes" if "classes" in encoder else ""),
        "fingerprint": encoder["fingerprint"],
        "index": f"{document['index_type']}{_found(document['recall'])}, generation {document['generation']}"
        + ("" if document["up_to_date"] else ", older than the catalogue: run the build again"),
        "data": ", ".join(document["data"]),
        "folder": document["folder"],
    }
    table = plain_table(None)
    table.show_header = False
    table.add_column()
    table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(Text(name, "bold"), Text(printable(str(value))))
    for video in noted:
        kind = "failed" if video.status == "failed" else "partial"
        table.add_row(Text(kind, "bold"), Text(f"{printable(video.path)}: {video.reason}"))
    return table


def folders_table(folders: Iterable[DataFolder]) -> Table:
    """What ``roots`` shows: a line a data folder."""
    table = plain_table(None)
    table.show_header = False
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for folder in folders:
        state = f"{folder.indexed} indexed, {folder.failed} failed" + ("" if folder.exists else ", gone")
        table.add_row(Text(state), Text(printable(folder.path)))
    return table


def plain_table(title: str | None) -> Table:
    """A table without lines; its title stands to the left."""
    return Table(
        title=title and Text(title, "bold"), title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0)
    )
