"""A query's own recording leaves its gallery: against plain loops, by exact chance, on a library, from the command."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from indexer.benchmark.baselines import random_baseline
from indexer.benchmark.evaluation import evaluate
from indexer.benchmark.protocol import score
from indexer.benchmark.ranking import LabelledVectors
from indexer.retrieval.library import Library
from tests.indexer.cli.test_cli import rspnet_index

LABELS = [f"c{n % 3}" for n in range(14)]
RECORDINGS = [f"g{n % 4}" for n in range(14)]


def videos() -> LabelledVectors:
    vectors = np.random.default_rng(0).normal(size=(14, 4)).astype(np.float32)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return LabelledVectors([f"{n:02d}" for n in range(14)], LABELS, list(RECORDINGS), unit, list(RECORDINGS))


def test_scores_are_those_of_plain_loops() -> None:
    given = videos()
    scores = score(given, given, ks=(1, 3, 50), exclude_self=True, bootstrap_samples=0)
    hits = Counter[int]()
    for query in range(14):
        others = [row for row in range(14) if RECORDINGS[row] != RECORDINGS[query]]
        near = sorted(others, key=lambda row: -float(given.vectors[query] @ given.vectors[row]))
        for k in (1, 3):
            hits[k] += LABELS[query] in [LABELS[row] for row in near[:k]]
    assert scores.top_k == pytest.approx({k: hits[k] / 14 for k in (1, 3)})
    assert scores.omitted_ks == (50,)
    assert all(RECORDINGS[int(hit.id)] != RECORDINGS[int(each.id)] for each in scores.results for hit in each.hits)


def test_chance_is_the_mean_of_random_orders() -> None:
    families = {"c0": "one", "c1": "one", "c2": "two"}
    exact = random_baseline(LABELS, LABELS, ks=(1, 3), exclude_self=True, left_out=RECORDINGS, families=families)
    rng = np.random.default_rng(1)
    found: dict[str, list[float]] = {"all": [], "one": []}
    for _ in range(4000):
        order = rng.permutation(14)
        for query in range(14):
            for name, seen in found.items():
                rows = [
                    row
                    for row in order
                    if RECORDINGS[row] != RECORDINGS[query] and (name == "all" or families[LABELS[row]] == name)
                ]
                if name == "all" or families[LABELS[query]] == name:
                    seen.append(LABELS[query] in [LABELS[row] for row in rows[:3]])
    assert exact.overall.top_k[3] == pytest.approx(np.mean(found["all"]), abs=0.01)
    assert exact.within_family["one"].top_k[3] == pytest.approx(np.mean(found["one"]), abs=0.01)


def test_a_library_leaves_out_a_recording_in_all_classes_or_in_its_own(built: Path) -> None:
    with Library.open(built, device="cpu") as library:
        path_of = {video.id: video.path for video in library.catalogue.videos(status="indexed")}
        for leave_out in ("recording", "group"):
            document, scores = evaluate(library, leave_out=leave_out)
            assert document["protocol"]["gallery"] == f"all others but those of its own {leave_out}"
            assert document["queries"] == 32
            for each in scores.results:
                label, recording = Path(path_of[each.id]).name.split("_")[1:3]
                for hit in each.hits:
                    hit_label, hit_recording = Path(path_of[hit.id]).name.split("_")[1:3]
                    is_own = hit_recording == recording and (leave_out == "recording" or hit_label == label)
                    assert not is_own


def test_the_command_takes_it_and_says_where_names_tell_nothing(
    built: Path, tmp_path: Path, small_weights: Path, few_videos: Path
) -> None:
    done = rspnet_index("benchmark", "--index", built, "--leave-out", "recording", "--json")
    assert json.loads(done.stdout)["protocol"]["leave_one_out"] is True
    for number, video in enumerate(sorted(few_videos.rglob("*.mp4"))):
        video.rename(video.with_name(f"{number}.mp4"))
    rspnet_index("build", few_videos, "--weights", small_weights, "--device", "cpu")
    done = rspnet_index("benchmark", "--index", few_videos, "--leave-out", "group")
    assert done.returncode != 0
    assert "tell none" in done.stderr
