"""What all tests share: sample videos, a small encoder and its library (the real code paths with little arithmetic)."""

import atexit
import fcntl
import gc
import os
import random
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import hypothesis
import numpy as np
import pytest
import torch

from indexer.ingest.build import build_library
from rspnet_core.config import ClipGeometry
from rspnet_core.models import create_backbone_model, create_model
from rspnet_core.video.making.synthetic import write_sample_data
from rspnet_core.video.reading import child_process
from rspnet_core.weights.checkpoint import describe, save_checkpoint
from tests import tiny
from tests.decoders import Template

REPOSITORY = Path(__file__).resolve().parent.parent
SHARED = REPOSITORY.parent / "shared"
START_DECODER = child_process.start_decoder
SMALL_CLIPS = ClipGeometry(num_clips=3, frames_per_clip=2, size=32)


def pytest_configure() -> None:
    """A suite started in the background ignores Ctrl-C; the commands that it starts and stops must not inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    hypothesis.settings.register_profile("any machine", deadline=None)  # a busy one is not a failed test
    hypothesis.settings.load_profile("any machine")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """What is imported stays: to look for garbage among it took a third of the time of collecting the tests."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()
        atexit.register(gc.unfreeze)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """GPU tests are skipped without a GPU, but fail where ``RSPNET_TEST_GPU=1`` promises one."""
    if torch.cuda.is_available() or os.environ.get("RSPNET_TEST_GPU") == "1":
        return
    for item in items:
        if "gpu" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="there is no CUDA device"))


@pytest.fixture
def real_videos() -> Path:
    """The folder of real and hostile videos; the test is skipped where it is absent."""
    if not (SHARED / "videos").is_dir():
        pytest.skip("the real videos are not beside this checkout")
    return SHARED / "videos"


@pytest.fixture(autouse=True, scope="session")
def tiny_is_known() -> None:
    """To tests, not to those that are made of the list of backbones."""
    tiny.register()


@pytest.fixture(autouse=True, scope="session")
def decoders_start_at_once() -> Iterator[None]:
    """A decoder process takes half a second to start, and most tests need one or more."""
    if not Template.is_possible():
        yield
        return
    template = Template()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(child_process, "start_decoder", template.start_decoder)
        yield
    template.close()


@pytest.fixture
def started_decoders(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoder processes start as the product starts them."""
    monkeypatch.setattr(child_process, "start_decoder", START_DECODER)


@pytest.fixture(autouse=True)
def random_states_are_restored() -> Iterator[None]:
    """A test that seeds a global generator must not decide what the next one sees."""
    python, numpy, pytorch = random.getstate(), np.random.get_state(), torch.get_rng_state()
    yield
    random.setstate(python)
    np.random.set_state(numpy)
    torch.set_rng_state(pytorch)


Once = Callable[[str, Callable[[Path], object]], Path]
"""Gives the folder of a name, which the first of all processes of this run fills; to be read only."""


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Once:
    """Make a folder once for all processes that share the tests; who comes second waits for the first."""
    own = tmp_path_factory.getbasetemp()
    root = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own

    def once_(name: str, fill: Callable[[Path], object]) -> Path:
        folder, done = root / name, root / f"{name}.done"
        with (root / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)  # of a process that failed in the middle
                folder.mkdir()
                fill(folder)
                done.touch()
        return folder

    return once_


@pytest.fixture(scope="session")
def small_weights(once: Once) -> Path:
    """Weights of a tiny encoder that looks at three clips of two frames of 32 x 32 pixels; read only."""
    return once("weights", lambda folder: save_small_weights(folder / "small.safetensors")) / "small.safetensors"


def save_small_weights(path: Path, backbone: str = tiny.NAME) -> None:
    model = create_model(backbone, seed=1).eval()
    save_checkpoint(model, describe(model, backbone, source="test", trained=True, geometry=SMALL_CLIPS), path)


def save_headless_weights(path: Path) -> None:
    """Weights of an encoder without heads, as torchvision's are, that looks at the clips of ``small_weights``."""
    model = create_backbone_model(tiny.NAME, seed=1).eval()
    save_checkpoint(model, describe(model, tiny.NAME, source="test", trained=True, geometry=SMALL_CLIPS), path)


def save_classifier(path: Path, classes: Sequence[str], *, always: int | None = None) -> Path:
    """Weights of ``small_weights`` with a classifier whose answers differ, or are ``always`` one class, nearly sure."""
    model = create_model(tiny.NAME, seed=1).eval()
    classifier = model.add_classifier(len(classes))
    torch.manual_seed(2)
    torch.nn.init.normal_(classifier.weight, std=0.5 if always is None else 0.0)
    torch.nn.init.zeros_(classifier.bias)
    if always is not None:
        classifier.bias.data[always] = 5.0
    spec = describe(model, tiny.NAME, source="test", trained=True, geometry=SMALL_CLIPS, classes=classes)
    save_checkpoint(model, spec, path)
    return path


@pytest.fixture(scope="session")
def sample_videos(once: Once) -> Path:
    """32 labelled synthetic videos with UCF101's lists; read only."""
    return once("sample", lambda folder: write_sample_data(folder, groups=2))


@pytest.fixture(scope="session")
def built(sample_videos: Path, small_weights: Path, once: Once) -> Path:
    """The library of the sample videos; read only."""

    def build(folder: Path) -> None:
        report = build_library(sample_videos, index=folder / "index", weights=str(small_weights), device="cpu")
        assert (report.indexed, report.failed) == (32, [])

    return once("built", build) / "index"


@pytest.fixture(scope="session")
def by_energy(sample_videos: Path, once: Once) -> Path:
    """The same videos by motion energy; read only."""
    return (
        once(
            "by-energy",
            lambda folder: build_library(sample_videos, index=folder / "index", backbone="energy", device="cpu"),
        )
        / "index"
    )


@pytest.fixture
def few_videos(sample_videos: Path, tmp_path: Path) -> Path:
    """A folder of four videos in two classes, without lists, to do with as a test likes."""
    data = tmp_path / "data"
    chosen = sorted(sample_videos.rglob("*.mp4"))
    for video in (chosen[0], chosen[1], chosen[-2], chosen[-1]):
        (data / video.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copy2(video, data / video.parent.name / video.name)
    return data


@pytest.fixture
def module_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], Path]]:
    """Write a module that can be imported until the test's end, as a user's own code can; gives its folder."""
    written = []

    def write(name: str, code: str) -> Path:
        (tmp_path / f"{name}.py").write_text(code)
        monkeypatch.syspath_prepend(tmp_path)
        written.append(name)
        return tmp_path

    yield write
    for name in written:
        sys.modules.pop(name, None)
