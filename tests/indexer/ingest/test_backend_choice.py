import json
import logging
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

from indexer.ingest import backend_choice
from indexer.ingest.build import build_library
from indexer.ingest.encoder import ClipEncoder
from indexer.ingest.report import BuildReport
from indexer.retrieval.library import Library
from rspnet_core.errors import InvalidSetting
from rspnet_core.inference import backends

Build = Callable[..., BuildReport]


@pytest.fixture
def build(few_videos: Path, small_weights: Path) -> Build:
    """Builds the library of four videos."""
    return lambda **settings: build_library(few_videos, weights=str(small_weights), device="cpu", **settings)


def kept(data: Path) -> str | None:
    return json.loads((data / ".rspnet" / "library.json").read_text()).get("backend")


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """OpenVINO is here and twice as fast; counts the measurements."""
    counted: list[int] = []

    def clip_seconds(runs: object) -> dict[str, float]:
        counted.append(1)
        return {"torch": 0.5, "openvino": 0.25}

    monkeypatch.setattr(backend_choice, "clip_seconds", clip_seconds)
    monkeypatch.setattr(backends, "find_spec", lambda name: True)
    return counted


def test_vectors_of_a_named_backend_are_those_of_pytorch_and_searches_use_it(
    build: Build, few_videos: Path, tmp_path: Path
) -> None:
    if not find_spec("openvino"):
        pytest.skip("OpenVINO is not installed")
    encoders: list[ClipEncoder] = []
    build(backend="openvino", started=lambda dataset, encoder: encoders.append(encoder))
    build(index=tmp_path / "by-torch")
    assert (encoders[0].backend, kept(few_videos)) == ("openvino", "openvino")
    with Library.open(few_videos, device="cpu") as library, Library.open(tmp_path / "by-torch") as by_torch:
        assert library.record.fingerprint == by_torch.record.fingerprint
        for row in library.catalogue.videos():
            pair = library.catalogue.video_vector(row.id), by_torch.catalogue.video_vector(row.id)
            np.testing.assert_allclose(*pair, atol=1e-5 if encoders[0].precision == torch.float32 else 2e-3)
        query = sorted(few_videos.rglob("*.mp4"))[0]
        found, expected = library.search(query), by_torch.search(query)
        assert library.encoder.backend == "openvino"
        assert [hit.path for hit in found.hits] == [hit.path for hit in expected.hits]
        assert found.hits[0].score == pytest.approx(1, abs=1e-4)


def test_a_large_first_build_measures_once_and_later_ones_take_what_it_found(
    build: Build, few_videos: Path, measured: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend_choice, "WORTH_MEASURING", 4)
    monkeypatch.setattr(backends, "_PREPARE", dict.fromkeys(("torch", "openvino"), backends._PREPARE["torch"]))
    report = build()
    assert "a clip takes torch 0.500 s, openvino 0.250 s: openvino encodes this library" in " ".join(report.notes)
    assert kept(few_videos) == "openvino"
    encoders: list[ClipEncoder] = []
    again = build(started=lambda dataset, encoder: encoders.append(encoder))
    assert (len(measured), encoders[0].backend) == (1, "openvino")
    assert "a clip takes" not in " ".join(again.notes)


def test_a_small_build_measures_nothing(build: Build, few_videos: Path, measured: list[int]) -> None:
    assert build().indexed == 4
    assert (measured, kept(few_videos)) == ([], None)


def test_without_what_the_library_keeps_pytorch_encodes_and_a_line_says_so(
    build: Build,
    few_videos: Path,
    measured: list[int],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    build()
    backend_choice.Place.find(few_videos).keep_backend("openvino")
    monkeypatch.setattr(backends, "find_spec", lambda name: None)
    told = "PyTorch encodes, not the library's openvino: it is not installed; `pip install 'rspnet[openvino]'`"
    video = sorted(few_videos.rglob("*.mp4"))[0]
    video.with_name("copy.mp4").write_bytes(video.read_bytes())
    report = build()
    assert (report.reused, report.notes[-1]) == (1, told)
    with Library.open(few_videos, device="cpu") as library, caplog.at_level(logging.WARNING):
        assert library.encoder.backend == "torch"
    assert told in caplog.messages
    assert kept(few_videos) == "openvino"


def test_a_backend_that_cannot_run_is_refused_before_anything_is_kept(
    build: Build, few_videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backends, "find_spec", lambda name: None)
    with pytest.raises(InvalidSetting, match="backend openvino: it is not installed"):
        build(backend="openvino")
    assert kept(few_videos) is None


def test_a_name_that_this_version_does_not_know_is_passed_over(build: Build, few_videos: Path) -> None:
    build()
    settings = few_videos / ".rspnet" / "library.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"backend": ["quantum"]}))
    assert build().skipped == 4
    with Library.open(few_videos, device="cpu") as library:
        assert library.encoder.backend == "torch"
