"""Encoders in the layout of model hubs, and from a hub that speaks Hugging Face's protocol."""

import hashlib
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
import torch

from indexer.ingest.build import build_library
from rspnet_core.encoder import Encoder
from rspnet_core.errors import InvalidSetting, WeightsError
from rspnet_core.weights.checkpoint import load_checkpoint
from tests.conftest import SMALL_CLIPS

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def folder(small_weights: Path, tmp_path: Path) -> Path:
    return Encoder.from_pretrained(small_weights).save_pretrained(tmp_path / "hub" / "user" / "small")


@pytest.fixture
def hub(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A server of the models in ``folder.parents[1]``; what it was asked for."""
    asked: list[str] = []

    class Hub(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer()

        def do_GET(self) -> None:
            self.wfile.write(self._answer())

        def _answer(self) -> bytes:
            repository, _, rest = self.path.strip("/").partition("/resolve/")
            revision, _, name = rest.partition("/")
            path = folder.parents[1] / repository / name
            asked.append(f"{self.command} {repository} {revision} {name}")
            found = path.is_file() and revision in ("main", COMMIT)
            content = path.read_bytes() if found else b""
            self.send_response(200 if found else 404)
            if not found:
                self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            return content

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("RSPNET_CACHE", str(tmp_path / "cache"))
    yield asked
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_layout_is_that_of_hubs_and_reads_back_bit_for_bit(folder: Path, small_weights: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    config = json.loads((folder / "config.json").read_text())
    assert (config["model_type"], config["library_name"], config["backbone"]) == ("rspnet", "rspnet", "tiny")
    again, (model, spec) = Encoder.from_pretrained(folder), load_checkpoint(small_weights)
    assert again.spec == spec
    for name, values in again.model.state_dict().items():
        assert torch.equal(values, model.state_dict()[name]), name


def test_the_card_says_what_it_is_and_is_kept(folder: Path) -> None:
    card = (folder / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: rspnet\n")
    assert "3 of 2 frames at 32 pixels" in card
    (folder / "README.md").write_text("my own words")
    Encoder.from_pretrained(folder).save_pretrained(folder)
    assert (folder / "README.md").read_text() == "my own words"


def test_features_are_those_of_the_network(folder: Path) -> None:
    clips = np.random.default_rng(0).integers(0, 256, (2, 2, 32, 32, 3), dtype=np.uint8)
    encoder = Encoder.from_pretrained(folder)
    mean, std = (torch.tensor(values) for values in (encoder.spec.normalisation.mean, encoder.spec.normalisation.std))
    with torch.inference_mode():
        expected = encoder.model.features(((torch.from_numpy(clips) / 255 - mean) / std).permute(0, 4, 1, 2, 3))
    torch.testing.assert_close(encoder.features(clips), expected)


def test_a_hub_s_model_builds_a_library_and_is_fetched_once(hub: list[str], few_videos: Path) -> None:
    report = build_library(few_videos, weights="hf:user/small", device="cpu")
    assert (report.indexed, report.failed) == (4, [])
    fetched = [line for line in hub if line.startswith("GET user/small")]
    assert [line.split()[-1] for line in fetched] == ["config.json", "model.safetensors"]
    assert Encoder.from_pretrained("hf:user/small@main").spec.geometry == SMALL_CLIPS
    assert [line for line in hub if line.startswith("GET user/small")] == fetched


@pytest.mark.parametrize("name", ["hf:small", "hf:", "hf:a/b/c", "hf:/b"])
def test_other_names_of_models_are_refused(hub: list[str], name: str) -> None:
    with pytest.raises(InvalidSetting, match="hf:USER/NAME"):
        Encoder.from_pretrained(name)
    assert hub == []


def test_a_model_that_is_not_there_is_one_line(hub: list[str]) -> None:
    with pytest.raises(WeightsError, match="cannot get hf:user/absent") as raised:
        Encoder.from_pretrained("hf:user/absent")
    assert "\n" not in str(raised.value)


def test_weights_that_were_changed_on_the_hub_are_found_out(hub: list[str], folder: Path) -> None:
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(WeightsError, match="SHA-256"):
        Encoder.from_pretrained("hf:user/small")


def test_a_hub_s_model_has_no_code_imported(hub: list[str], folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text()) | {"backbone": "os:system"}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(WeightsError, match="name it yourself: --backbone os:system"):
        Encoder.from_pretrained("hf:user/small")
