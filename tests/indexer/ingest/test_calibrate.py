import json
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

from indexer.ingest import calibrate
from indexer.ingest.build import build_library
from indexer.ingest.calibrate import _differences, _parted
from indexer.ingest.encoder import ClipEncoder
from indexer.ingest.pooling import Layout
from indexer.ingest.report import BuildReport
from indexer.retrieval.library import Library
from indexer.retrieval.maintenance import verify_library
from rspnet_core.errors import InvalidSetting, LibraryDamaged
from rspnet_core.inference import backends
from rspnet_core.inference.backends import INT8
from tests.conftest import Once

Build = Callable[..., BuildReport]
TOLD = "openvino-int8, calibrated on"


def needs_int8() -> None:
    if not find_spec("openvino") or not torch.cpu._is_vnni_supported():
        pytest.skip("OpenVINO or a CPU with INT8 is not here")


@pytest.fixture
def build(few_videos: Path, small_weights: Path) -> Build:
    """Builds the library of four videos in INT8: one is calibrated on, three are measured."""
    needs_int8()
    settings = {"weights": str(small_weights), "device": "cpu", "backend": INT8}
    return lambda **others: build_library(few_videos, **(settings | others))


@pytest.fixture
def data(sample_videos: Path, small_weights: Path, once: Once, tmp_path: Path) -> Path:
    """Four videos with their library in INT8, to do with as a test likes; ``notes.txt`` has what its build said."""
    needs_int8()

    def fill(folder: Path) -> None:
        for video in sorted(sample_videos.rglob("*.mp4"))[::8]:
            shutil.copy2(video, folder)
        notes = build_library(folder, weights=str(small_weights), device="cpu", backend=INT8).notes
        (folder / "notes.txt").write_text("\n".join(notes))

    return Path(shutil.copytree(once("in-int8", fill), tmp_path / "data"))


def kept(data: Path) -> Path:
    return next((data / ".rspnet" / "encoder").glob("*.int8.json"))


def test_a_library_in_int8_says_what_that_costs_and_keeps_it(data: Path) -> None:
    told, document = (data / "notes.txt").read_text(), json.loads(kept(data).read_text())
    assert f"{TOLD} 3 clips: a clip takes" in told
    assert "on 3 other videos, recall@10 and cosine against openvino: backbone (too few videos), " in told
    assert (document["clips"], document["cost"]["videos"]) == (3, 3)
    assert document["cost"]["parts"].keys() == {"backbone", "motion", "appearance"}
    assert all(0.99 < part["least_cosine"] < 1.0001 for part in document["cost"]["parts"].values())


def test_later_builds_and_searches_compute_with_what_the_first_build_kept(
    data: Path, sample_videos: Path, built: Path
) -> None:
    written, new = kept(data).read_bytes(), sorted(sample_videos.rglob("*.mp4"))[1]
    shutil.copy2(new, data)
    encoders: list[ClipEncoder] = []
    again = build_library(data, device="cpu", started=lambda dataset, encoder: encoders.append(encoder))
    assert (again.indexed, encoders[0].backend, kept(data).read_bytes()) == (1, INT8, written)
    assert TOLD not in "\n".join(again.notes)
    with Library.open(data, device="cpu") as library, Library.open(built) as in_float:
        assert library.encoder.backend == INT8
        stored = {Path(row.path).name: library.catalogue.video_vector(row.id) for row in library.catalogue.videos()}
        expected = {Path(row.path).name: in_float.catalogue.video_vector(row.id) for row in in_float.catalogue.videos()}
        for name, vector in stored.items():
            assert 0.99 < float(vector @ expected[name]) / len(library.layout.dims) < 0.999999
        np.testing.assert_allclose(library.embed(new).vector, stored[new.name], atol=1e-6)


def test_a_calibration_tells_how_far_it_is_and_that_it_is_done(build: Build, few_videos: Path) -> None:
    told: list[tuple[int, int]] = []
    started = build(calibrating=lambda done, total: told.append((done, total)))
    assert started.indexed == 4
    assert told == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]
    build(calibrating=lambda done, total: told.append((done, total)))  # kept: nothing is calibrated
    assert len(told) == 5


def test_asked_for_again_it_is_not_calibrated_again(data: Path) -> None:
    written = kept(data).read_bytes()
    assert TOLD in "\n".join(build_library(data, device="cpu", backend=INT8).notes)
    assert kept(data).read_bytes() == written


@pytest.mark.parametrize(
    ("found", "put", "reason"),
    [
        ('"clips": 3', '"clips": 0', "greater than or equal to 1"),
        ("Convolution", "Revolution", "its SHA-256 is another"),
    ],
)
def test_damage_is_an_error_of_builds_and_searches(data: Path, found: str, put: str, reason: str) -> None:
    kept(data).write_text(kept(data).read_text().replace(found, put, 1))
    told = rf"int8\.json is damaged \(.*{reason}.*\); restore it, or delete it and calibrate anew: `rspnet-index build"
    for asked in (None, INT8):
        with pytest.raises(LibraryDamaged, match=told):
            build_library(data, device="cpu", backend=asked)
    with Library.open(data, device="cpu") as library, pytest.raises(LibraryDamaged, match=told):
        _ = library.encoder
    assert "int8.json is damaged" in "\n".join(verify_library(data).problems)


def test_where_it_cannot_run_pytorch_encodes_and_a_line_says_so(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "find_spec", lambda name: None)
    told = "PyTorch encodes, not the library's openvino-int8: it is not installed; `pip install 'rspnet[openvino]'`"
    assert build_library(data, device="cpu").notes[-1] == told
    with pytest.raises(InvalidSetting, match="backend openvino-int8: it is not installed"):
        build_library(data, device="cpu", backend=INT8)
    monkeypatch.undo()
    kept(data).unlink()
    told = "PyTorch encodes, not the library's openvino-int8: it was not calibrated"
    assert told in build_library(data, device="cpu").notes[-1]


def test_nothing_is_kept_of_int8_that_loses_too_much(
    build: Build, few_videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibrate, "LEAST_MEDIAN_COSINE", 1.5)
    with pytest.raises(
        InvalidSetting, match=r"its backbone vectors have a median cosine of [01]\.\d{4} to those in float"
    ):
        build()
    assert not list((few_videos / ".rspnet" / "encoder").glob("*.int8.json"))
    assert "backend" not in json.loads((few_videos / ".rspnet" / "library.json").read_text())


def test_too_few_videos_that_can_be_decoded_are_an_error(build: Build, few_videos: Path) -> None:
    videos = sorted(few_videos.rglob("*.mp4"))
    for video in videos[1:]:
        video.write_bytes(b"no video")
    with pytest.raises(InvalidSetting, match="no video to measure it on can be decoded; leave --backend out"):
        build()
    videos[0].write_bytes(b"no video")
    with pytest.raises(InvalidSetting, match="no video to calibrate on can be decoded; leave --backend out"):
        build()


@pytest.mark.parametrize(("total", "calibrated"), [(0, 0), (1, 1), (2, 1), (4, 1), (40, 10), (130, 30)])
def test_no_video_is_both_calibrated_on_and_measured(total: int, calibrated: int) -> None:
    sides = _parted(list(range(total)))
    assert len(sides[0]) == calibrated
    assert sorted(sides[0] + sides[1]) == list(range(total))


def test_recall_is_of_the_ten_nearest_among_the_others() -> None:
    generator, layout = np.random.default_rng(0), Layout({"backbone": 4, "motion": 4})
    right = layout.unit(generator.normal(size=(40, 8)).astype(np.float32))
    given = right.copy()
    given[:, 4:] = layout.unit(generator.normal(size=(40, 8)).astype(np.float32))[:, 4:]
    found = _differences(right, given, layout)
    assert (found["backbone"].recall, found["backbone"].least_cosine) == (1.0, pytest.approx(1, abs=1e-6))
    expected = []
    for place in range(40):
        others = [other for other in range(40) if other != place]
        nearest = [sorted(others, key=lambda other: -float(v[place, 4:] @ v[other, 4:]))[:10] for v in (right, given)]
        expected.append(len(set(nearest[0]) & set(nearest[1])) / 10)
    assert found["motion"].recall == pytest.approx(np.mean(expected))
    assert found["motion"].recall < 0.5
    assert found["motion"].median_cosine == pytest.approx(np.median((right[:, 4:] * given[:, 4:]).sum(axis=1)))
    assert _differences(right[:11], given[:11], layout)["motion"].recall is None
