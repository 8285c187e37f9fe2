"""The retrieval report as JSON, as a page and on a terminal."""

import base64
import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from indexer.benchmark.baselines import random_baseline
from indexer.benchmark.document import comparison_rows, to_json
from indexer.benchmark.protocol import score
from indexer.benchmark.ranking import LabelledVectors
from indexer.benchmark.report import _telling_queries, write_html
from indexer.benchmark.terminal import render_table
from rspnet_core.errors import RspnetError
from tests.page import Page

HOSTILE = "<script>alert(1)</script>\"'&$\\frac{\u202e\x1b[31m[red]"
DOCUMENTED = ("protocol", "queries", "gallery", "top_k", "mean_average_precision", "per_class", "weights")


def sides(classes, *, per_class=4, grouped=True, seed=0):
    """Queries and gallery whose classes are loose clusters."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((len(classes), 16))
    built = []
    for prefix in "qg":
        labels = [label for label in classes for _ in range(per_class)]
        vectors = np.repeat(centres, per_class, axis=0) + rng.standard_normal((len(labels), 16)) * 1.5
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        ids = [f"{prefix}{number:05d}" for number in range(len(labels))]
        groups = [f"{prefix}{number // 2}" if grouped else None for number in range(len(labels))]
        built.append(LabelledVectors(ids, labels, groups, vectors.astype(np.float32)))
    return built


NO_COPIES = {"by": "footage", "queries": 0, "top_1": 0.0}


def make_report(
    classes, *, trained=True, families=None, protocol=None, histogram=True, energy=False, copies=None, **kwargs
):
    queries, gallery = sides(classes, **kwargs)
    scores = score(queries, gallery, families=families, bootstrap_samples=50)
    report = to_json(
        scores,
        random=random_baseline(queries.labels, gallery.labels, families=families),
        colour_histogram=score(gallery, queries, families=families, bootstrap_samples=50) if histogram else None,
        motion_energy=score(gallery, queries, families=families, bootstrap_samples=50) if energy else None,
        copies=copies or NO_COPIES,
        protocol=protocol or {"layout": "folders", "fold": None},
        weights={"backbone": 1.0, "motion": 0.0, "appearance": 0.0},
        encoder={"backbone": "resnet18", "weights": "model.safetensors", "trained": trained},
        command="rspnet-index benchmark --index videos/.rspnet",
    )
    return report, scores


def jpeg(colour=(10, 120, 110)):
    stream = io.BytesIO()
    Image.new("RGB", (32, 24), colour).save(stream, "JPEG")
    return stream.getvalue()


@pytest.fixture(scope="module")
def page_of_two_families(tmp_path_factory):
    families = {"run": "body", "jump": "body", "pour": "kitchen", "stir": "kitchen"}
    report, scores = make_report(list(families), trained=False, families=families)
    asked = []
    path = write_html(
        report, scores, lambda video_id: asked.append(video_id) or jpeg(), tmp_path_factory.mktemp("report") / "new"
    )
    return report, path.read_text(encoding="utf-8"), asked


def test_json_has_the_documented_fields_and_plain_fractions():
    report, scores = make_report(["run", "jump"], families={"run": "a", "jump": "a"})
    assert set(DOCUMENTED) <= set(report)
    again = json.loads(json.dumps(report, allow_nan=False))
    assert again == report
    assert report["top_k"] == {str(k): value for k, value in scores.top_k.items()}
    assert all(type(value) is float and 0 <= value <= 1 for value in report["top_k"].values())
    assert report["protocol"]["omitted_k"] == [10, 20, 50]
    assert report["intervals"]["unit"] == "group"
    assert report["within_family"]["families"]["a"]["queries"] == 8
    assert set(report["baselines"]) == {"random", "colour_histogram", "motion_energy"}


def test_confusions_count_the_mistakes_of_the_nearest_video():
    report, scores = make_report([f"class {number}" for number in range(6)])
    wrong = sum(not result.hits[0].correct for result in scores.results)
    assert wrong
    assert sum(mistake["queries"] for mistake in report["confusions"]) == wrong
    counts = [mistake["queries"] for mistake in report["confusions"]]
    assert counts == sorted(counts, reverse=True)


@pytest.mark.parametrize(
    ("protocol", "classes", "same"),
    [
        ({"layout": "ucf101", "fold": 1}, 101, True),
        ({"layout": "ucf101", "fold": 2}, 101, False),
        ({"layout": "ucf101", "fold": 1}, 17, False),
        ({"layout": "hmdb51", "fold": 1}, 101, False),
    ],
)
def test_published_figures_are_comparable_on_ucf101_split_1_alone(protocol, classes, same):
    report, _ = make_report([f"c{number}" for number in range(classes)], per_class=1, protocol=protocol)
    assert report["published"]["same_data"] is same
    assert all(row["published"] for row in report["published"]["rows"])


def test_comparison_has_this_library_first_and_every_published_row():
    report, _ = make_report(["run", "jump"])
    kinds = [row.kind for row in comparison_rows(report)]
    assert kinds[:4] == ["library", "macro", "histogram", "random"]
    assert (kinds.count("published"), kinds.count("published-ours")) == (6, 2)
    report, _ = make_report(["run", "jump"], histogram=False)
    assert "histogram" not in [row.kind for row in comparison_rows(report)]


def test_motion_energy_stands_beside_the_colour_histogram_wherever_there_is_one(tmp_path):
    families = {"run": "a", "jump": "a", "sit": "b", "lie": "b"}
    for energy in (False, True):
        report, scores = make_report(list(families), families=families, energy=energy)
        kinds = [row.kind for row in comparison_rows(report)]
        assert kinds[:4] == ["library", "macro", "histogram", "energy" if energy else "random"]
        assert "in_family" not in str(report["baselines"]["motion_energy"]) or energy
        shown = Console(width=140, record=True, file=io.StringIO())
        shown.print(render_table(report))
        text = shown.export_text()
        assert ("Motion energy" in text, "energy 1" in text) == (energy, energy)
        page = write_html(report, scores, lambda _: None, tmp_path).read_text()
        assert ('class="key energy"' in page, "energy<small>top-1" in page) == (energy, energy)


def test_a_centred_report_says_so():
    for centred in (False, True):
        report, _ = make_report(["run", "jump"], protocol={"layout": "folders", "fold": None, "centred": centred})
        shown = Console(width=140, record=True, file=io.StringIO())
        shown.print(render_table(report))
        assert ("centred: all vectors less the gallery's mean" in shown.export_text()) is centred


def test_energy_is_called_neither_trained_nor_untrained():
    for trained, warned in ((False, True), (None, False), (True, False)):
        shown = Console(width=140, record=True, file=io.StringIO())
        shown.print(render_table(make_report(["run", "jump"], trained=trained)[0]))
        assert ("untrained" in shown.export_text()) is warned


def test_page_is_whole_and_asks_the_network_for_nothing(page_of_two_families):
    _, text, _ = page_of_two_families
    page = Page(text)
    assert not page.open
    assert "script" not in page.tags
    assert "link" not in page.tags
    outside = [address for tag, address in page.addresses if not address.startswith(("data:image/", "#"))]
    assert outside == ["https://arxiv.org/abs/2011.07949"]  # a link to follow, not a request
    assert "@import" not in text
    assert set(re.findall(r"url\((.)", text)) <= {"#"}
    assert "default-src 'none'" in text
    assert not page.missing_alt


def test_page_shows_figures_pictures_and_how_it_was_made(page_of_two_families):
    report, text, asked = page_of_two_families
    assert f"{100 * report['top_k']['1']:.1f}" in text
    assert base64.b64encode(jpeg()).decode() in text
    assert len(asked) == len(set(asked))
    for words in ("untrained", "another data set", "kitchen", "mAP", "✓ match", "✗ other", "Worst queries", "Best"):
        assert words in text
    assert report["command"] in text


def test_ids_of_a_page_are_unique(page_of_two_families):
    _, text, _ = page_of_two_families
    ids = re.findall(r'\sid="([^"]+)"', text)
    assert len(ids) == len(set(ids))


def test_plots_follow_the_colours_of_the_page(page_of_two_families):
    _, text, _ = page_of_two_families
    assert "stroke: var(--accent)" in text
    assert not re.search(r"#0[1-6]0[1-6]0[1-6]\b", text)


def test_a_trained_encoder_has_no_banner(tmp_path):
    report, scores = make_report(["run", "jump"])
    assert "untrained" not in write_html(report, scores, lambda _: None, tmp_path).read_text(encoding="utf-8")


def test_hostile_names_are_shown_as_text(tmp_path):
    labels = [HOSTILE, "b<img src=x>", "\udcff"]
    report, scores = make_report(labels, families=dict.fromkeys(labels, "<s>family</s>"))
    names = {result.id: f"<b>{HOSTILE}</b>.mp4" for result in scores.results}
    report["protocol"]["query side"] = ["<u>x</u>", HOSTILE]
    text = write_html(report, scores, lambda _: None, tmp_path, names=names).read_text(encoding="utf-8")
    page = Page(text)
    assert not page.open
    assert {"script", "img", "s", "u"}.isdisjoint(page.tags)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert any("<script>alert(1)</script>" in shown for shown in page.texts)


def test_an_example_says_of_how_many_pairs_it_is_closer_where_that_is_known(tmp_path):
    report, scores = make_report(["run", "jump"])
    assert "of pairs" not in " ".join(Page(write_html(report, scores, lambda _: None, tmp_path).read_text()).texts)
    known = [
        replace(result, hits=tuple(replace(hit, percentile=0.99973) for hit in result.hits))
        for result in scores.results
    ]
    page = Page(write_html(report, replace(scores, results=tuple(known)), lambda _: None, tmp_path).read_text())
    shown = len(re.findall("closer than 99.97% of pairs", " ".join(page.texts)))
    assert shown == sum(len(result.hits) for query in _telling_queries(tuple(known)) for result in query)


def test_a_page_of_400_classes_keeps_its_size(tmp_path):
    report, scores = make_report([f"class number {number}" for number in range(400)], per_class=1, grouped=False)
    path = write_html(report, scores, lambda _: None, tmp_path)
    assert path.stat().st_size < 1_500_000
    assert Page(path.read_text(encoding="utf-8")).tags.count("tr") > 400


def test_classes_without_gallery_and_missing_intervals_are_said(tmp_path):
    queries, gallery = sides(["run", "jump"])
    jumps = np.flatnonzero([label == "jump" for label in gallery.labels])
    one_query = queries.take(np.array([0]))
    scores = score(one_query, gallery.take(jumps), ks=(1,), bootstrap_samples=50)
    report = to_json(
        scores,
        random=random_baseline(one_query.labels, ["jump"] * 4, ks=(1,)),
        colour_histogram=None,
        copies=NO_COPIES,
        protocol={},
        weights={"backbone": 1.0},
        encoder={"trained": True},
    )
    text = write_html(report, scores, lambda _: None, tmp_path).read_text(encoding="utf-8")
    assert "no video of this class in the gallery" in text
    assert "There are no intervals" in text
    assert "for want of gallery videos: run" in re.sub(r"\s+", " ", text)
    assert "no gallery video of: run" in shown_on_terminal(report)


def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path):
    report, scores = make_report(["run", "jump"])
    (tmp_path / "file").write_text("")
    with pytest.raises(RspnetError, match="choose another folder"):
        write_html(report, scores, lambda _: None, tmp_path / "file")


def test_writing_again_replaces_the_page_and_leaves_nothing_else(tmp_path):
    report, scores = make_report(["run", "jump"])
    for _ in range(2):
        write_html(report, scores, lambda _: None, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def shown_on_terminal(report):
    stream = io.StringIO()
    Console(file=stream, width=140, force_terminal=False).print(render_table(report))
    return stream.getvalue()


def test_terminal_table_has_intervals_baselines_and_marked_published_rows():
    families = {"run": "body", "jump": "body"}
    report, _ = make_report([*families, "pour"], trained=False, families=families)
    shown = shown_on_terminal(report)
    for words in ("untrained", "95 % interval", "Random order", "RSPNet, ResNet-18†", "another data set", "body"):
        assert words in shown
    assert f"{100 * report['mean_average_precision']:.1f}" in shown


def test_terminal_shows_hostile_names_as_text():
    report, _ = make_report([HOSTILE, "jump"], families={HOSTILE: "[b]f", "jump": "[b]f"})
    shown = shown_on_terminal(report)
    assert "\x1b" not in shown
    assert "[b]f" in shown


def test_copies_are_told_where_a_query_finds_one_first(tmp_path):
    report, scores = make_report(["run", "jump"], copies={"by": "content", "queries": 2, "top_1": 0.125})
    page = write_html(report, scores, lambda _: None, tmp_path).read_text(encoding="utf-8")
    assert "smaller. 2 of 8 queries find" in re.sub(r"\s+", " ", page)
    told = "2 of 8 queries find a copy of themselves first: 12.5 points of top-1 are of copies; rspnet-index duplicates"
    assert told in re.sub(r"\s+", " ", page)
    assert told in re.sub(r"\s+", " ", shown_on_terminal(report))
    report, scores = make_report(["run", "jump"])
    assert "copies" not in shown_on_terminal(report)
    assert "a copy of" not in write_html(report, scores, lambda _: None, tmp_path).read_text(encoding="utf-8")


@pytest.mark.parametrize(("trained", "warned"), [(False, True), (True, False), (None, False)])
def test_only_random_weights_are_warned_of(tmp_path, trained, warned):
    """None is an encoder without weights, such as ``energy``."""
    report, scores = make_report(["run", "jump"], trained=trained)
    page = write_html(report, scores, lambda _: None, tmp_path).read_text(encoding="utf-8")
    assert ("untrained" in page) == ("untrained" in shown_on_terminal(report)) == warned
