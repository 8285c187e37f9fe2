"""An encoder of somebody else's enters by its name: no file of the package is touched for it."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.indexer.cli.test_cli import rspnet_index

SHIFTS = """
import torch
from rspnet_core.config import ClipGeometry

class Differences(torch.nn.Module):
    def forward(self, clips):  # (B, 3, T, H, W) -> (B, 12, T-1, 4, 4)
        steps = (clips[:, :, 1:] - clips[:, :, :-1]).abs()
        parts = [torch.nn.functional.adaptive_avg_pool3d(steps ** power, (None, 4, 4)) for power in (1, 2, 3, 4)]
        return torch.cat(parts, dim=1)

def differences():
    return Differences(), ClipGeometry(num_clips=3, frames_per_clip=4, size=32)
"""
NAME = "shifts:differences"


@pytest.fixture
def code(module_of: Callable[[str, str], Path]) -> Path:
    return module_of("shifts", SHIFTS)


def run(*arguments: object) -> dict:
    done = rspnet_index(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_an_encoder_from_outside_builds_searches_benchmarks_and_explains(code: Path, sample_videos: Path) -> None:
    index, query, match = code / "index", *sorted(sample_videos.rglob("*.mp4"))[:2]
    built = run("build", sample_videos, "--index", index, "--backbone", NAME)
    assert built["failed"] == []
    assert built["indexed"] == len(list(sample_videos.rglob("*.mp4")))
    found = run("search", query, "--index", index, "--backbone", NAME, "--top", 1)
    assert (found["encoder"]["backbone"], Path(found["hits"][0]["path"]).name) == (NAME, query.name)
    assert run("benchmark", "--index", index)["queries"] > 0
    why = run("heatmap", query, match, "--index", index, "--backbone", NAME, "--out", code / "why.png")
    assert set(why["heads"]) == {"backbone"}
    assert (code / "why.png").stat().st_size > 1000


def test_a_librarys_own_files_have_no_code_imported(code: Path, few_videos: Path) -> None:
    assert rspnet_index("build", few_videos, "--backbone", NAME).returncode == 0
    sys.modules.pop("shifts")
    (code / "shifts.py").write_text("raise SystemExit('the code of a library was run')")
    stranger = next(few_videos.rglob("*.mp4"))
    done = rspnet_index("search", stranger, "--index", few_videos)
    assert (done.returncode, "shifts" in sys.modules) == (1, False)
    assert f"name it yourself: --backbone {NAME}" in done.stderr
    assert rspnet_index("build", few_videos).returncode == 1
    assert rspnet_index("verify", "--index", few_videos).returncode == 0
    listed = run("info", "--index", few_videos)
    assert listed["videos"]["indexed"] == 4
    assert "shifts" not in sys.modules


def test_queries_by_id_need_no_code(code: Path, few_videos: Path) -> None:
    assert rspnet_index("build", few_videos, "--backbone", NAME).returncode == 0
    path = str(next(few_videos.rglob("*.mp4")))
    first = run("search", path, "--index", few_videos, "--backbone", NAME, "--top", 1)["hits"][0]
    assert run("search", first["id"], "--index", few_videos, "--top", 1)["hits"][0]["id"] == first["id"]
