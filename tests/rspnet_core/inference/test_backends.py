import os
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from rspnet_core.config import ClipGeometry
from rspnet_core.errors import InvalidSetting
from rspnet_core.inference import backends
from rspnet_core.inference.backends import INT8, Runs, clip_seconds, fastest
from rspnet_core.models import Network, create_backbone_model
from rspnet_core.models.energy import Energy
from rspnet_core.models.outside import OutsideBackbone
from tests import tiny
from tests.rspnet_core.inference.test_folded import (
    NAMES,
    NORMALISATION,
    Dithered,
    assert_same,
    by_hand,
    noise,
    pixels,
    with_trained_statistics,
)

SMALL = ClipGeometry(frames_per_clip=9, size=48)


def runs_of(backbone: str) -> Runs:
    network = with_trained_statistics(create_backbone_model(backbone, seed=0).backbone)
    return Runs(network, SMALL, NORMALISATION, torch.device("cpu"), torch.float32)


@pytest.fixture(scope="module")
def runs() -> Runs:
    return runs_of(tiny.NAME)


@torch.inference_mode()
def assert_openvino_agrees(runs: Runs) -> None:
    if not find_spec("openvino"):
        pytest.skip("OpenVINO is not installed")
    by_openvino = runs.by("openvino")
    for num_clips in (1, 3):
        clips = pixels(num_clips, SMALL.frames_per_clip, SMALL.size)
        assert_same(by_openvino(clips), runs.backbone(by_hand(clips)))


def test_openvino_gives_pytorchs_features_for_any_number_of_clips(runs: Runs) -> None:
    assert_openvino_agrees(runs)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_openvino_gives_pytorchs_features_of_every_backbone(name: str) -> None:
    assert_openvino_agrees(runs_of(name))


def test_where_openvino_cannot_run_it_is_refused_with_the_way_out(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "find_spec", lambda name: None)
    outside = OutsideBackbone(Network(Dithered(), ClipGeometry(frames_per_clip=4, size=16)), "dithered").eval()
    for cannot, reason in (
        (runs, r"not installed; `pip install 'rspnet\[openvino\]'`"),
        (replace(runs, device=torch.device("cuda")), "CPUs alone, got --device cuda"),
        (replace(runs, backbone=outside), "networks of rspnet and torchvision alone"),
        (replace(runs, backbone=Energy()), "networks of rspnet and torchvision alone"),
    ):
        assert cannot.choices == ("torch",)
        with pytest.raises(InvalidSetting, match=rf"{reason}; or leave --backend out"):
            cannot.by("openvino")


def test_where_int8_cannot_run_it_is_refused_with_the_way_out(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "find_spec", lambda name: True)
    monkeypatch.setattr(torch.cpu, "_is_vnni_supported", lambda: True)
    with pytest.raises(InvalidSetting, match=r"not calibrated; `rspnet-index build DATA --backend openvino-int8`"):
        runs.by(INT8)
    with pytest.raises(InvalidSetting, match="CPUs alone, got --device cuda"):
        replace(runs, device=torch.device("cuda"), ranges={}).by(INT8)
    monkeypatch.setattr(torch.cpu, "_is_vnni_supported", lambda: False)
    with pytest.raises(InvalidSetting, match="this CPU has no instructions for it"):
        replace(runs, ranges={}).by(INT8)
    monkeypatch.setattr(backends, "find_spec", lambda name: None)
    with pytest.raises(InvalidSetting, match=r"not installed; `pip install 'rspnet\[openvino\]'`"):
        replace(runs, ranges={}).by(INT8)


def test_int8_is_never_among_the_choices(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "find_spec", lambda name: True)
    assert replace(runs, ranges={}).choices == ("torch", "openvino")


@pytest.fixture
def backend_that(monkeypatch: pytest.MonkeyPatch):
    """Puts a function of PyTorch's features in OpenVINO's place."""

    def put(changed) -> None:
        monkeypatch.setattr(backends, "find_spec", lambda name: True)
        prepare = lambda runs: lambda clips: changed(runs.backbone(by_hand(clips)))  # noqa: E731
        monkeypatch.setattr(backends, "_PREPARE", backends._PREPARE | {"openvino": prepare})

    return put


def test_all_that_agree_are_measured(runs: Runs, backend_that) -> None:
    backend_that(lambda features: features * (1 + 1e-6))
    seconds = clip_seconds(runs)
    assert list(seconds) == ["torch", "openvino"]
    assert min(seconds.values()) > 0


def test_clips_are_measured_together_as_those_of_a_video_are(
    runs: Runs, backend_that, monkeypatch: pytest.MonkeyPatch
) -> None:
    together: set[int] = set()

    def seen(features: torch.Tensor) -> torch.Tensor:
        together.add(len(features))
        return features

    backend_that(seen)
    ticks = count()
    monkeypatch.setattr(backends.time, "perf_counter", lambda: next(ticks))
    seconds = clip_seconds(runs)
    assert min(together) > 1
    assert seconds == dict.fromkeys(("torch", "openvino"), 1 / together.pop())


@pytest.mark.parametrize("wrong", [torch.zeros_like, lambda features: features + 0.1 * noise(*features.shape)])
def test_a_backend_of_other_features_is_never_chosen(runs: Runs, backend_that, wrong) -> None:
    backend_that(wrong)
    assert list(clip_seconds(runs)) == ["torch"]


def test_only_what_is_clearly_faster_takes_pytorchs_place() -> None:
    assert fastest({"torch": 1.0, "openvino": 0.8}) == "openvino"
    assert fastest({"torch": 1.0, "openvino": 0.95}) == "torch"
    assert fastest({"torch": 1.0, "openvino": 2.0}) == "torch"
    assert fastest({"torch": 1.0}) == "torch"


_STOPPED_AFTER_NETWORKS_WENT = """
import os, signal, threading
import numpy as np, torch
from rspnet_core.inference.openvino_network import compiled, openvino
openvino()
from openvino import Model, opset13 as ops

numbers = ops.parameter([1, 2], np.float32)
network = Model([ops.relu(numbers)], [numbers])
both = [compiled(network, torch.float32), compiled(network, torch.float32)]
both.pop()
thread = threading.Thread(target=both.clear)
thread.start()
thread.join()
signal.signal(signal.SIGINT, lambda *told: print("stopped by hand"))
os.kill(os.getpid(), signal.SIGINT)
"""


def test_ctrl_c_after_openvinos_networks_went_is_heard() -> None:
    """Seen to end in a segmentation fault, on CPUs with AMX, when each network had a core of its own."""
    if not find_spec("openvino"):
        pytest.skip("OpenVINO is not installed")
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", _STOPPED_AFTER_NETWORKS_WENT],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "stopped by hand\n"), done.stderr


@pytest.mark.slow
def test_openvino_writes_no_client_id_and_sends_nothing(tmp_path: Path) -> None:
    if not find_spec("openvino"):
        pytest.skip("OpenVINO is not installed")
    code = "from rspnet_core.inference import openvino_network as b; b.openvino(); import sys; " + (
        "sys.exit('openvino_telemetry.main' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "HOME": str(tmp_path)})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("precision", "most"), [(torch.float32, 2), (torch.bfloat16, 5)])
def test_openvino_takes_as_many_clips_at_once_as_it_has_threads_in_float32(
    precision: torch.dtype, most: int, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not find_spec("openvino"):
        pytest.skip("OpenVINO is not installed")
    from rspnet_core.inference import openvino_backend

    taken: list[int] = []

    class Request:
        def infer(self, clips: NDArray[np.uint8], **_: object) -> list[NDArray[np.float32]]:
            taken.append(len(clips))
            return [clips.mean(axis=(1, 2, 3, 4), dtype=np.float32)[:, None]]

    class Network:
        create_infer_request = Request

    monkeypatch.setattr(openvino_backend, "compiled", lambda *_: Network())
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    backend = openvino_backend.OpenVinoBackend(runs.backbone, runs.geometry, runs.normalisation, precision=precision)
    clips = pixels(5, runs.geometry.frames_per_clip, runs.geometry.size)
    assert_same(backend(clips), clips.float().mean(dim=(1, 2, 3, 4))[:, None])
    assert (max(taken), sum(taken)) == (most, 5)
    assert backend(clips[:0]).shape == (0, 1)
