"""``rspnet-train weights`` as a user meets it: output, exit codes, one line for each mistake."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from rspnet_core.cli import main as cli
from rspnet_core.models import TwoHeadModel, create_model
from rspnet_core.weights.checkpoint import load_model

FILE_NAME = "model_best_s3dg_200epoch.pth.tar"


@pytest.fixture(scope="module")
def model() -> TwoHeadModel:
    return create_model("s3dg", seed=5)


@pytest.fixture(scope="module")
def official(model: TwoHeadModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    state = {f"encoder_q.encoder.{key}": values for key, values in model.backbone.state_dict().items()}
    state |= {f"encoder_q.fc1.2.{key}": values for key, values in model.appearance_head.state_dict().items()}
    state |= {f"encoder_q.fc2.2.{key}": values for key, values in model.motion_head.state_dict().items()}
    path = tmp_path_factory.mktemp("official") / FILE_NAME
    torch.save({"arch": "s3dg", "model": state}, path)
    return path


def rspnet_train(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    monkeypatch.setattr(sys, "argv", ["rspnet-train", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_import_writes_our_format_that_inspect_and_load_read(
    model: TwoHeadModel,
    official: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "s3dg.safetensors"
    assert rspnet_train(monkeypatch, "weights", "import", official, "--out", out) == 0
    assert capsys.readouterr().out.startswith(f"wrote {out} and s3dg.json\n  backbone    s3dg\n")
    assert load_model(out).motion_head.weight.equal(model.motion_head.weight)

    assert rspnet_train(monkeypatch, "weights", "inspect", out, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["parameters"] == sum(values.numel() for values in model.parameters())
    assert (document["backbone"], document["source"], document["trained"]) == ("s3dg", FILE_NAME, True)
    assert document["heads"] == ["appearance", "motion"]
    assert document["geometry"]["size"] == 224
    assert document["sha256"] == json.loads(out.with_suffix(".json").read_text())["sha256"]

    assert rspnet_train(monkeypatch, "weights", "inspect", out) == 0
    text = capsys.readouterr().out
    assert "10 of 16 frames, step 1, 224x224 pixels, at the video's own rate" in text
    assert document["sha256"] in text


def test_import_writes_beside_the_file_by_default(
    official: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rspnet_train(monkeypatch, "weights", "import", official, "--json") == 0
    target = official.with_name("model_best_s3dg_200epoch.safetensors")
    assert json.loads(capsys.readouterr().out)["file"] == str(target)
    assert target.is_file() and target.with_suffix(".json").is_file()


def test_pull_prints_where_the_file_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RSPNET_CACHE", str(tmp_path))
    path = tmp_path / FILE_NAME
    path.write_bytes(b"placed by hand")
    assert rspnet_train(monkeypatch, "weights", "pull", "official:s3dg") == 0
    assert capsys.readouterr().out == f"{path}\n"
    assert rspnet_train(monkeypatch, "weights", "pull", "official:s3dg", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"name": "official:s3dg", "file": str(path)}


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["inspect", "absent.pth.tar"], 2, "no weights file absent.pth.tar"),
        (["import", "absent.pth.tar"], 2, "no weights file absent.pth.tar"),
        (["import", "ours.safetensors"], 2, "ours.safetensors is in our format already"),
        (["pull", "official:resnet50"], 2, "unknown published checkpoint 'official:resnet50'"),
    ],
)
def test_a_mistake_is_one_line_on_stderr(
    arguments: list[str],
    code: int,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert rspnet_train(monkeypatch, "weights", *arguments) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"rspnet-train: {message}")
    assert printed.err.count("\n") == 1


@pytest.mark.parametrize("command", [[], ["weights"], ["weights", "nonsense"], ["weights", "pull"]])
def test_an_incomplete_command_is_wrong_usage(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rspnet_train(monkeypatch, *command) == 2
    printed = capsys.readouterr()
    assert "Usage: rspnet-train" in printed.out + printed.err


@pytest.mark.parametrize("command", ["import", "inspect", "pull"])
def test_help_has_an_example(command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert rspnet_train(monkeypatch, "weights", command, "--help") == 0
    assert f"Example: rspnet-train weights {command} " in capsys.readouterr().out


def test_help_does_not_wait_for_torch() -> None:
    script = "import sys, rspnet_core.cli; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_ctrl_c_during_a_download_ends_with_130_and_no_traceback(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent_server:
        environment = {
            **os.environ,
            "RSPNET_CACHE": str(tmp_path),
            "RSPNET_WEIGHTS_URL": f"http://127.0.0.1:{silent_server.getsockname()[1]}",
            "no_proxy": "127.0.0.1",
        }
        command = [sys.executable, "-m", "rspnet_core.cli", "weights", "pull", "official:c3d"]
        process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        connection, _ = silent_server.accept()
        with connection:
            connection.recv(1)  # the request has been sent; the command now waits for an answer
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in errors
