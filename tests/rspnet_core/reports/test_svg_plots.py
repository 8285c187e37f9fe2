"""Plots as SVG of a page."""

import re
import warnings

import numpy as np

from rspnet_core.reports.svg_plots import confusion_svg


def test_a_confusion_picture_has_its_labels_as_text_and_the_colours_of_the_page():
    labels = ["run", "$\\frac{", "<b>"]
    svg = confusion_svg(labels, np.eye(3, dtype=np.int64), rows="truth", columns="predicted", name="mine")
    for text in ("run", "$\\frac{", "&lt;b&gt;", "truth", "predicted"):
        assert f">{text}</text>" in svg
    assert "var(--line)" in svg
    assert not re.search(r"#0[1-6]0[1-6]0[1-6]\b", svg)
    assert all(found.startswith("mine-") for found in re.findall(r'\bid="([^"]+)"', svg))


def test_beyond_40_classes_a_confusion_picture_has_no_labels():
    counts = np.zeros((41, 41), dtype=np.int64)
    svg = confusion_svg([f"class {n}" for n in range(41)], counts, rows="truth", columns="predicted", name="many")
    assert "class 7" not in svg


def test_names_in_scripts_that_the_plots_font_lacks_stay_text_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        svg = confusion_svg(
            ["网球", "कख"], np.eye(2, dtype=np.int64), rows="truth", columns="predicted", name="scripts"
        )
    assert ">网球</text>" in svg
