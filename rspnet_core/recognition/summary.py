"""The scores of one fold for a terminal."""

from collections.abc import Iterator, Sequence

from rspnet_core.recognition.document import Document, mean_of_folds
from rspnet_core.text import printable, short


def lines(document: Document) -> list[str]:
    """A few aligned lines of plain text, in percent: the headline figures with intervals, chance, and families."""
    intervals = document["intervals"]
    rows = list(_rows(document))
    width = max(len(name) for name, _, _ in rows)
    unreadable = f", {len(document['unreadable']):,} unreadable" if document["unreadable"] else ""
    shown = [f"{document['videos']:,} videos of {len(document['classes']):,} classes{unreadable}"]
    shown += [f"{name:{width}}  {100 * share:5.1f} %  {note}".rstrip() for name, share, note in rows]
    if intervals["top_k"]["1"]:
        unit = "source recordings" if intervals["unit"] == "group" else "videos"
        shown.append(f"ranges: {100 * intervals['level']:.0f} % intervals, drawn from {intervals['units']:,} {unit}")
    return shown


def mean_lines(documents: Sequence[Document]) -> list[str]:
    """The means over several folds."""
    mean = mean_of_folds(documents)
    rows = {f"top-{k}": value for k, value in mean["top_k"].items()}
    rows |= {"mean over classes": mean["mean_over_classes"], "calibration error": mean["ece"]}
    return [f"mean of {len(documents)} folds", *(f"  {name:17}  {100 * share:5.1f} %" for name, share in rows.items())]


def _rows(document: Document) -> Iterator[tuple[str, float, str]]:
    """Name, share and note of each line."""
    intervals, chance = document["intervals"], document["chance"]
    for k, value in document["top_k"].items():
        yield f"top-{k}", value, _range(intervals["top_k"][k])
    yield "mean over classes", document["mean_over_classes"], _range(intervals["mean_over_classes"])
    yield "chance", chance["uniform"], f"the most frequent class is {100 * chance['most_frequent']:.1f} %"
    yield "calibration error", document["calibration"]["ece"], "0 is best"
    if families := document["within_family"]:
        yield "within families", families["overall"]["accuracy"], _range(families["overall"]["interval"])
        for name, found in families["families"].items():
            yield f"  {short(printable(name))}", found["accuracy"], f"{found['videos']:,} videos"
        yield "  mean of families", families["mean"], ""


def _range(interval: list[float] | None) -> str:
    return f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f}" if interval else ""
