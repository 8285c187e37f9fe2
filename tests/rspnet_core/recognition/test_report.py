"""The recognition report as a page."""

import re

import pytest

from rspnet_core.recognition.document import document
from rspnet_core.recognition.plots import accuracy_svg, reliability_svg
from rspnet_core.recognition.report import write_report
from rspnet_core.recognition.scores import measure
from tests.page import Page
from tests.rspnet_core.recognition.samples import HOSTILE, UNDECODABLE, predictions, random_predictions

FACTS = {"weights": "model.safetensors", "clips_per_video": 10}
FAMILIES = {f"class {number}": "first" if number < 4 else "second" for number in range(8)}


def one_fold(seed=0, families=FAMILIES, **kwargs):
    return document(measure(random_predictions(seed, **kwargs), families))


def page_of(folder, folds, facts=FACTS, **kwargs):
    """The page's text, and its words with each run of white space as one space."""
    text = write_report(folder, folds, facts, **kwargs).read_text("utf-8")
    return text, re.sub(r"\s+", " ", "".join(Page(text).texts))


@pytest.fixture(scope="module")
def fold():
    return one_fold(unreadable={"broken.mp4": "no frames"})


@pytest.fixture(scope="module")
def page(fold, tmp_path_factory):
    return page_of(tmp_path_factory.mktemp("report") / "new", [("Fold 1", fold)])


@pytest.fixture(scope="module")
def folds():
    return [(f"Split {seed}", one_fold(seed)) for seed in range(3)]


@pytest.fixture(scope="module")
def page_of_folds(folds, tmp_path_factory):
    return page_of(tmp_path_factory.mktemp("folds"), folds)


def test_page_is_whole_and_asks_the_network_for_nothing(page):
    text, _ = page
    found = Page(text)
    assert not found.open
    assert {"script", "link", "img"}.isdisjoint(found.tags)
    assert {address[0] for tag, address in found.addresses if not address.startswith("data:image/png")} == {"#"}
    assert "@import" not in text
    assert set(re.findall(r"url\((.)", text)) <= {"#"}
    assert "default-src 'none'" in text


def test_links_within_the_page_lead_somewhere_and_ids_are_unique(page, page_of_folds):
    for text, _ in (page, page_of_folds):
        ids = re.findall(r'\sid="([^"]+)"', text)
        assert len(ids) == len(set(ids))
        assert {address[1:] for _, address in Page(text).addresses if address.startswith("#")} <= set(ids)


def test_plots_follow_the_colours_of_the_page(page):
    text, _ = page
    assert "var(--warm)" in text
    assert not re.search(r"#0[1-6]0[1-6]0[1-6]\b", text)


def test_page_shows_the_figures_with_intervals_and_how_they_were_measured(fold, page):
    _, words = page
    low, high = fold["intervals"]["top_k"]["1"]
    for share in (fold["top_k"]["1"], fold["top_k"]["5"], fold["mean_over_classes"], fold["calibration"]["ece"]):
        assert f"{100 * share:.1f}" in words
    assert f"{100 * low:.1f} to {100 * high:.1f}" in words
    assert f"1,000 draws of {fold['intervals']['units']} source recordings" in words
    for part in ("first", "second", "All families", "broken.mp4: no frames", "clips per video", "model.safetensors"):
        assert part in words
    assert "Published" not in words


def test_the_most_confident_mistakes_come_first(fold, page):
    _, words = page
    wrong = [found for found in fold["predictions"] if found["label"] != found["predicted"]]
    wrong.sort(key=lambda found: -found["probability"])
    assert f"{min(20, len(wrong))} of {len(wrong)} wrong videos" in words
    mistakes = words[words.index("Most confident mistakes") :]
    row = f"{wrong[0]['label']}→ {wrong[0]['predicted']}{100 * wrong[0]['probability']:.1f}{wrong[0]['path']}"
    assert mistakes.index(row) < mistakes.index(wrong[1]["path"])


def test_several_folds_have_their_mean_on_top(folds, page_of_folds):
    _, words = page_of_folds
    mean = sum(found["top_k"]["1"] for _, found in folds) / 3
    table = words[words.index("Accuracy %") :]
    assert table.index(f"Mean of 3 folds {100 * mean:.1f}") < table.index("Split 0") < table.index("Split 2")
    values = [100 * found["top_k"]["1"] for _, found in folds]
    assert f"{min(values):.1f} to {max(values):.1f}" in words
    assert words.count("Most confident mistakes") == 3


def test_published_figures_are_marked(fold, tmp_path):
    _, words = page_of(tmp_path, [("Fold 1", fold)], published=[("RSPNet, <i>C3D</i>", 0.767)])
    assert "RSPNet, <i>C3D</i> †76.7" in words
    assert "† Published figures, not measured here." in words


def test_hostile_names_are_shown_as_text(tmp_path):
    names = [HOSTILE, UNDECODABLE, "a\n", "a\\n", "<u>e</u>", "f"]  # two of them print alike
    families = dict.fromkeys(names, "<s>family</s>�")
    found = one_fold(classes=6, names=names, families=families, unreadable={HOSTILE: "<i>reason</i>"})
    facts = {"weights": HOSTILE, "data": [UNDECODABLE]}
    text, words = page_of(tmp_path, [(HOSTILE, found)] * 2, facts, published=[(HOSTILE, 0.5)])
    assert not Page(text).open
    assert {"u", "s", "i"}.isdisjoint(Page(text).tags)
    assert Page(text).tags.count("b") == 2  # the banner's own, one in each fold
    assert "\x1b" not in text
    assert "\u202e" not in text
    for shown in (r"<b>$\frac{</b>\n", r"\udcff", "<u>e</u>", "<s>family</s>", "<i>reason</i>"):
        assert shown in words
    assert len(re.findall(r'<th scope="row">a\\n</th>', text)) == 4  # both in each fold


def test_what_there_is_not_is_said_or_left_out(tmp_path):
    found = document(measure(predictions([[3, 1, 1], [3, 1, 1]], [0, 0], groups=["g", "g"])))
    _, words = page_of(tmp_path, [("all", found)])
    assert "There are no intervals: one source recording alone" in words
    assert "every video is recognised" in words
    assert "top-5" not in words
    assert "families" not in words
    assert "not counted" not in words.lower()


def test_folds_without_any_hit_and_of_one_class_are_drawn(tmp_path):
    worst = document(measure(predictions([[1, 3]] * 3, [0, 0, 0])))
    single = document(measure(predictions([[1], [1]], [0, 0])))
    _, words = page_of(tmp_path, [("worst", worst), ("single", single)])
    assert "class 0" in words


def test_a_page_of_400_classes_keeps_its_size(tmp_path):
    names = [f"class number {number}" for number in range(400)]
    path = write_report(tmp_path, [("val", one_fold(classes=400, videos=900, names=names))], FACTS)
    assert path.stat().st_size < 1_000_000


def test_writing_again_replaces_the_page_and_leaves_nothing_else(fold, tmp_path):
    pages = [write_report(tmp_path, [("Fold 1", fold)], FACTS).read_text("utf-8") for _ in range(2)]
    assert pages[0] == pages[1]
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_bars_below_the_mean_are_warm_and_formulas_stay_text():
    shares = [("$x^2$", 0.9), ("b", 0.1)]
    svg = accuracy_svg(shares, mean=0.5, chance=0.1, width=360, name="bars")
    assert ">$x^2$</text>" in svg
    fills = re.findall(r"fill: var\(--(accent|warm)\)", svg)
    assert fills == ["accent", "warm"]


def test_the_reliability_diagram_has_a_point_for_each_filled_bin():
    bins = document(measure(random_predictions(0)))["calibration"]["bins"]
    svg = reliability_svg(bins, name="bins")
    points = re.search(r'<g id="bins-PathCollection_1">.*?</g>', svg, re.DOTALL)[0]
    assert points.count("<path") == sum(found["videos"] > 0 for found in bins)
