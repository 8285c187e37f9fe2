"""The parts of one library beside its backbone: the same figures as reports of each."""

from pathlib import Path

import pytest

from indexer.benchmark.compare import compare_weights
from indexer.benchmark.evaluation import evaluate
from indexer.retrieval.library import Library
from indexer.retrieval.search import PartWeights


def test_each_row_has_the_figures_of_its_own_report(built: Path) -> None:
    with Library.open(built, device="cpu") as library:
        rows = compare_weights(library)["rows"]
        parts = ("backbone", "motion", "appearance")
        used = [[part for part in parts if row["weights"][part]] for row in rows]
        assert used == [["backbone"], ["motion"], ["appearance"], ["motion", "appearance"], list(parts)]
        backbone = rows[0]["scores"]["b"]["mean_average_precision"]
        for row in rows:
            report, _ = evaluate(library, weights=PartWeights(**row["weights"]))
            assert row["scores"]["b"]["top_k"]["1"] == pytest.approx(report["top_k"]["1"])
            assert row["scores"]["b"]["mean_average_precision"] == pytest.approx(report["mean_average_precision"])
            difference = row["scores"]["difference"]["mean_average_precision"]
            assert difference == pytest.approx(row["scores"]["b"]["mean_average_precision"] - backbone)
            low, high = row["intervals"]["difference"]["mean_average_precision"]
            assert low <= difference <= high
        assert any(row["scores"]["difference"]["mean_average_precision"] for row in rows)
