"""A build killed at any moment loses nothing that a reader has seen, and ends up as if it had never been killed."""

import random
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from indexer.catalogue.catalogue import FILE_NAME
from indexer.retrieval.maintenance import verify_library
from tests import prepared
from tests.indexer.storage import stored


def contents(index: Path) -> dict[str, bytes]:
    return stored(index / FILE_NAME)


def start(data: Path, index: Path, weights: Path) -> BaseProcess:
    return prepared.start("indexer.cli.main", "build", data, "--index", index, "--weights", weights)


def kill_at_random(process: BaseProcess, index: Path, draw: random.Random) -> set[str]:
    """SIGKILL some time after the first commit; returns the ids that a reader saw just before."""
    deadline = time.monotonic() + 90
    before = contents(index)
    while process.is_alive() and len(contents(index)) <= len(before) and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(draw.uniform(0, 0.3))
    seen = set(contents(index))
    process.kill()
    process.join()
    return seen


@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_builds_lose_nothing_and_end_like_one_never_killed(
    kills: int, built: Path, sample_videos: Path, small_weights: Path, tmp_path: Path
) -> None:
    index, draw = tmp_path / "index", random.Random(kills)
    for _ in range(kills):
        seen = kill_at_random(start(sample_videos, index, small_weights), index, draw)
        verdict = verify_library(index, deep=True)
        assert verdict.problems == []
        assert seen <= contents(index).keys()
    last = start(sample_videos, index, small_weights)
    last.join()
    assert last.exitcode == 0
    assert contents(index) == contents(built)
    assert verify_library(index, deep=True).notes == []
