"""Write the recognition report as one HTML file that needs no network, no script and no other file."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from rspnet_core.recognition.document import Document, mean_of_folds
from rspnet_core.recognition.plots import accuracy_svg, reliability_svg
from rspnet_core.reports.html_page import environment, write_page
from rspnet_core.reports.svg_plots import confusion_svg
from rspnet_core.text import printable, printable_texts, short

_MISTAKES = 20
_WIDTHS = {"wide": (760, 28), "narrow": (360, 18)}  # points, and letters of a class's name


def write_report(
    folder: str | os.PathLike[str],
    folds: Sequence[tuple[str, Document]],
    facts: Mapping[str, Any],
    *,
    published: Sequence[tuple[str, float]] = (),
) -> Path:
    """Write ``report.html`` into ``folder`` (made when missing) and return its path.

    Args:
        folder: where the page goes.
        folds: at least one name, such as "Fold 1", with its ``document``; several get a table with their mean.
        facts: what was measured, such as weights, data and clips, in the order shown.
        published: name and top-1 accuracy (a fraction) of methods to set beside, marked as not measured here.

    Raises:
        RspnetError: the folder cannot be written.
    """
    documents = [document for _, document in folds]
    page = environment("rspnet_core.recognition").get_template("recognition.html.j2")
    html = page.render(
        folds=[_fold(f"fold-{number}", name, found) for number, (name, found) in enumerate(folds, start=1)],
        mean=mean_of_folds(documents),
        most_frequent=sum(found["chance"]["most_frequent"] for found in documents) / len(documents),
        cards=_cards(documents),
        facts=printable_texts(facts),
        published=printable_texts(published),
    )
    return write_page(Path(folder), html)


def _cards(documents: Sequence[Document]) -> list[Document]:
    """Headline figures: ``title``, ``value``, ``range``, which is the interval, or spans the folds, or is None."""
    mean = mean_of_folds(documents)
    intervals = documents[0]["intervals"]
    cards = [
        (f"top-{k}", value, [found["top_k"][k] for found in documents], intervals["top_k"][k])
        for k, value in mean["top_k"].items()
    ]
    of_classes = [found["mean_over_classes"] for found in documents]
    cards.append(("mean over classes", mean["mean_over_classes"], of_classes, intervals["mean_over_classes"]))
    cards.append(("calibration error", mean["ece"], [found["calibration"]["ece"] for found in documents], None))
    return [
        {"title": title, "value": value, "range": [min(each), max(each)] if len(documents) > 1 else interval}
        for title, value, each, interval in cards
    ]


def _fold(element_id: str, name: str, document: Document) -> Document:
    """What the template shows of one fold. Names become values, for as keys two of them may print alike."""
    classes = [{"name": label, **found} for label, found in document["per_class"].items()]
    classes.sort(key=lambda found: (found["accuracy"] is None, -(found["accuracy"] or 0), found["name"]))
    families = (document["within_family"] or {"families": {}})["families"]
    mistakes = [found for found in document["predictions"] if found["label"] != found["predicted"]]
    mistakes.sort(key=lambda found: (-found["probability"], found["path"]))
    shown = {
        **{
            key: document[key] for key in ("videos", "top_k", "mean_over_classes", "intervals", "calibration", "chance")
        },
        "id": element_id,
        "name": name,
        "classes": classes,
        "within_family": document["within_family"],
        "families": [{"name": family, **found} for family, found in families.items()],
        "mistakes": mistakes[:_MISTAKES],
        "wrong": len(mistakes),
        "unreadable": document["unreadable"],
    }
    return {**printable_texts(shown), "plots": _plots(element_id, classes, document)}


def _plots(element_id: str, classes: Sequence[Document], document: Document) -> dict[str, Markup]:
    seen = [(printable(found["name"]), found["accuracy"]) for found in classes if found["videos"]]
    svgs = {
        size: accuracy_svg(
            [(short(label, letters), accuracy) for label, accuracy in seen],
            mean=document["mean_over_classes"],
            chance=document["chance"]["uniform"],
            width=width,
            name=f"{element_id}-classes-{size}",
        )
        for size, (width, letters) in _WIDTHS.items()
    }
    svgs["confusion"] = confusion_svg(
        [short(printable(label)) for label in document["classes"]],
        np.array(document["confusion"], dtype=np.int64),
        rows="true class",
        columns="predicted class",
        name=f"{element_id}-confusion",
    )
    svgs["reliability"] = reliability_svg(document["calibration"]["bins"], name=f"{element_id}-reliability")
    return {name: Markup(svg) for name, svg in svgs.items()}  # noqa: S704 # our own SVG
