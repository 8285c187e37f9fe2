"""How much of the accuracy is copies: by hand, and on a library whose test side holds a file of the train side."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from indexer.benchmark.copied import found_copies
from indexer.benchmark.ranking import Hit, QueryResult
from indexer.ingest.build import build_library
from indexer.retrieval.copies import find_copies, known_copies
from indexer.retrieval.library import Library
from tests.conftest import Once
from tests.indexer.cli.test_cli import rspnet_index
from tests.indexer.retrieval.test_copies import write_takes


def result(query: str, first: str, *, correct: bool) -> QueryResult:
    return QueryResult(query, "a", 1, 1.0, (Hit(first, "a", 1.0, correct), Hit("other", "a", 0.5, True)))


def test_what_counts_is_the_first_hit_in_the_querys_own_group() -> None:
    groups = [[SimpleNamespace(id=name) for name in names] for names in (("q1", "g1", "g2"), ("q2", "g3"))]
    results = [
        result("q1", "g2", correct=True),
        result("q2", "g3", correct=False),  # a copy in another class: a mistake of the labels, found none the less
        result("q2", "g1", correct=True),  # another group's
        result("q3", "g1", correct=True),  # no copies itself
        QueryResult("q1", "a", None, 0.0, ()),
    ]
    found = found_copies(results, groups, by_footage=True)  # type: ignore[arg-type]
    assert found == {"by": "footage", "queries": 2, "top_1": pytest.approx(1 / 5)}
    assert found_copies(results, [], by_footage=False) == {"by": "content", "queries": 0, "top_1": 0.0}


def test_a_benchmark_tells_copies_by_content_and_by_footage_once_these_were_compared(
    once: Once, small_weights: Path, tmp_path: Path
) -> None:
    takes, data = once("takes", write_takes), tmp_path / "data"
    for place, name in (
        ("train/Wave", "take"),
        ("train/Bow", "take2"),
        ("test/Wave", "again"),
        ("test/Bow", "take3"),
        ("test/Wave", "late"),
    ):
        (data / place).mkdir(parents=True, exist_ok=True)
        shutil.copy(takes / "Wave" / f"{name}.mp4", data / place)
    assert build_library(data, weights=str(small_weights), device="cpu").indexed == 5
    first = json.loads(rspnet_index("benchmark", "--index", data, "--json").stdout)
    assert first["copies"] == {"by": "content", "queries": 1, "top_1": pytest.approx(1 / 3)}
    assert "1 of 3 queries find a copy of themselves first" in rspnet_index("benchmark", "--index", data).stdout
    with Library.open(data, device="cpu") as library:
        known = [sorted(Path(video.path).stem for video in group) for group in known_copies(library)]
        assert known == [["again", "take"]]
        find_copies(library)
        known = [sorted(Path(video.path).stem for video in group) for group in known_copies(library)]
        assert known == [["again", "late", "take"]]
        first_of_late = library.search(data / "test/Wave/late.mp4", top=1, split="train")[0]
    again = json.loads(rspnet_index("benchmark", "--index", data, "--json").stdout)["copies"]
    found = 1 + (Path(first_of_late.path).stem == "take")
    assert again == {"by": "footage", "queries": found, "top_1": pytest.approx(found / 3)}
