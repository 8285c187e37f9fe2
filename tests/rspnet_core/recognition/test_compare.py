import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from rspnet_core.cli.main import app
from rspnet_core.errors import DatasetError, InvalidSetting
from rspnet_core.recognition.compare import compare_tests
from rspnet_core.recognition.document import document
from rspnet_core.recognition.scores import measure
from tests.rspnet_core.recognition.samples import random_predictions

VIDEOS = [(f"g{recording:02}", take) for recording in range(8) for take in range(4)]


def answers(path: Path, wrong: Sequence[int], *, fold: int = 1, videos: Sequence[tuple[str, int]] = VIDEOS) -> Path:
    """What ``evaluate --json`` prints of these videos of one class when those of these numbers are mistaken."""
    predictions = [
        {
            "path": f"Run/{group}_{take}.mp4",
            "label": "Run",
            "group": f"Run/{group}",
            "predicted": "Walk" if number in wrong else "Run",
            "probability": 0.5,
        }
        for number, (group, take) in enumerate(videos)
    ]
    path.write_text(json.dumps({"folds": [{"fold": fold, "predictions": predictions}], "mean": None}))
    return path


def test_the_difference_is_that_of_the_means_over_seeds_and_its_interval_of_recordings(tmp_path: Path) -> None:
    a = [answers(tmp_path / "a1", range(16)), answers(tmp_path / "a2", range(8, 24))]  # half wrong, whole recordings
    b = [answers(tmp_path / "b1", range(8))]  # a quarter wrong
    found = compare_tests(a, b)
    assert (found["videos"], found["not_shared"], found["unit"], found["units"]) == (32, 0, "group", 8)
    assert (found["a"]["top_1"], found["a"]["each"], found["b"]["top_1"]) == (0.5, [0.5, 0.5], 0.75)
    assert found["difference"] == 0.25
    low, high = found["interval"]
    assert low < 0.25 < high
    assert found["only_b"] == {"videos": 8, "paths": [f"Run/{group}_{take}.mp4" for group, take in VIDEOS[8:16]]}
    assert found["only_a"]["videos"] == 0


def test_what_is_hard_for_both_does_not_widen_the_interval(tmp_path: Path) -> None:
    a, b = answers(tmp_path / "a", [*range(16), *range(16, 32, 4)]), answers(tmp_path / "b", range(16))
    low, high = compare_tests([a], [b])["interval"]
    assert 0 < low <= 0.125 <= high < 0.26


def test_only_what_all_have_tested_counts(tmp_path: Path) -> None:
    a, b = answers(tmp_path / "a", []), answers(tmp_path / "b", [], videos=VIDEOS[:20])
    assert (found := compare_tests([a], [b]))["videos"] == 20
    assert found["not_shared"] == 12
    with pytest.raises(DatasetError, match="no video of one fold"):
        compare_tests([a], [answers(tmp_path / "c", [], fold=2)])


def test_a_document_of_evaluate_itself_is_read(tmp_path: Path) -> None:
    path, one_fold = tmp_path / "real.json", document(measure(random_predictions(0)))
    path.write_text(json.dumps({"folds": [{"fold": 1} | one_fold], "mean": None}))
    other = tmp_path / "other.json"
    other.write_bytes(path.read_bytes())
    found = compare_tests([path], [other])
    assert found["a"]["top_1"] == found["b"]["top_1"] == pytest.approx(one_fold["top_k"]["1"])


@pytest.mark.parametrize("text", ["", "[]", '{"folds": [{"fold": 1}]}', '{"folds": 3}', "[" * 100_000])
def test_what_is_no_such_document_is_refused_by_its_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(DatasetError, match=r"x\.json cannot be compared.*write one with"):
        compare_tests([tmp_path / "x.json"], [answers(tmp_path / "b", [])])


def test_a_file_that_is_not_there_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"cannot read .*x\.json: No such file or directory; write it with"):
        compare_tests([tmp_path / "x.json"], [answers(tmp_path / "b", [])])


def test_one_file_is_not_two_seeds(tmp_path: Path) -> None:
    a = answers(tmp_path / "a", [])
    with pytest.raises(InvalidSetting, match="given twice"):
        compare_tests([a], [a])


def test_the_command_prints_both_and_the_difference(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [answers(tmp_path / "a", range(16)), answers(tmp_path / "b", range(8))]
    app([str(each) for each in ("compare", *files)], standalone_mode=False)
    printed = capsys.readouterr().out
    assert "A       50.0 %" in printed
    assert "B - A  +25.0 %" in printed
    assert "8 recordings" in printed
