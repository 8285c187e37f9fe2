"""Checkpoints as people save them: prefixes in any order, parts left out, other precisions, other wrappers."""

import argparse
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from rspnet_core.errors import WeightsError
from rspnet_core.models import create_model
from rspnet_core.text import printable
from rspnet_core.weights.checkpoint import load_checkpoint
from rspnet_core.weights.official import read_official

State = dict[str, Tensor]


def shapes_of(backbone: str) -> State:
    """Names and shapes of a model with heads; each tensor is one stored number, so that files are small."""
    state = create_model(backbone, seed=3).state_dict()
    return {key: values.flatten()[0].clone().expand(values.shape) for key, values in state.items()}


@pytest.fixture(scope="module")
def ours() -> State:
    return shapes_of("s3dg")


@pytest.fixture(scope="module")
def of_few_layers() -> State:
    return shapes_of("c3d")


def officially(state: State) -> State:
    for new, old in {"encoder.": "backbone.", "fc1.2.": "appearance_head.", "fc2.2.": "motion_head."}.items():
        state = {new + key.removeprefix(old) if key.startswith(old) else key: value for key, value in state.items()}
    return state


@pytest.mark.parametrize(
    "prefix",
    ["", "module.", "_orig_mod.", "model.", "encoder_q.", "module._orig_mod.", "_orig_mod.module.encoder_q.",
     "state_dict.model.", "model.module.encoder_q."],
)  # fmt: skip
@pytest.mark.parametrize("official", [True, False])
def test_prefixes_in_any_order_are_taken_off(tmp_path: Path, of_few_layers: State, prefix: str, official: bool) -> None:
    ours = of_few_layers
    path = tmp_path / "wrapped.ckpt"
    torch.save({prefix + key: value for key, value in (officially(ours) if official else ours).items()}, path)
    backbone, tensors = read_official(path)
    assert backbone == "c3d"
    assert tensors.keys() == ours.keys() and all(tensors[key].equal(ours[key]) for key in ours)


WRAPPINGS: dict[str, Any] = {
    "bare": lambda state: state,
    "state_dict": lambda state: {"state_dict": state, "epoch": 3},
    "model with our name": lambda state: {"arch": "s3dg", "model": state},
    "lightning": lambda state: {
        "epoch": 3, "global_step": 7, "pytorch-lightning_version": "2.4.0", "optimizer_states": [{}],
        "hyper_parameters": {"lr": 0.1, "name": "x"}, "state_dict": {f"model.{key}": v for key, v in state.items()},
    },
    "momentum copy and queue": lambda state: {
        "model": {f"module.encoder_q.{key}": v for key, v in officially(state).items()}
        | {f"module.encoder_k.{key}": v for key, v in officially(state).items()}
        | {"module.queue": torch.zeros(128, 4), "module.encoder_q.encoder.fc.weight": torch.zeros(2, 2)}
    },
    "no counters": lambda state: {key: v for key, v in state.items() if not key.endswith("num_batches_tracked")},
    "half": lambda state: {key: v.half() if v.is_floating_point() else v for key, v in state.items()},
    "bfloat16": lambda state: {key: v.bfloat16() if v.is_floating_point() else v for key, v in state.items()},
}  # fmt: skip


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_every_wrapping_is_the_same_encoder(tmp_path: Path, ours: State, wrapping: str) -> None:
    path = tmp_path / "saved.pt"
    torch.save(WRAPPINGS[wrapping](ours), path)
    model, spec = load_checkpoint(path)
    assert spec.backbone == "s3dg"
    found = model.state_dict()
    tolerance = 1e-2 if wrapping in {"half", "bfloat16"} else 0.0
    assert all(
        torch.allclose(found[key], value, rtol=tolerance, atol=tolerance)
        for key, value in ours.items()
        if not key.endswith("num_batches_tracked")
    )


def test_a_file_that_needs_unsafe_unpickling_is_called_that_with_a_way_out(tmp_path: Path, ours: State) -> None:
    path = tmp_path / "light\x1b[31m.ckpt"
    torch.save({"state_dict": dict(list(ours.items())[:2]), "hyper_parameters": argparse.Namespace(lr=1)}, path)
    with pytest.raises(WeightsError, match=r"needs unsafe unpickling.*keep the safe types alone") as caught:
        load_checkpoint(path)
    assert "damaged" not in str(caught.value) and "Namespace" in str(caught.value)
    assert str(caught.value) == printable(str(caught.value))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: {key: value for key, value in s.items() if "5c" not in key}, "of none of c3d"),
        (lambda s: s | {"module.backbone.x\x1b[31m": torch.zeros(2)}, "of none of c3d"),
        (lambda s: s | {f"module.{key}": value for key, value in s.items()}, "several keys are 'backbone"),
        (lambda s: {"other\x1b[31m.weight": torch.zeros(2)}, r"unknown key 'other\\x1b\[31m.weight'"),
    ],
)  # fmt: skip
def test_what_is_no_encoder_of_ours_is_refused_in_one_plain_line(
    tmp_path: Path, ours: State, change: Any, message: str
) -> None:
    path = tmp_path / "other.pt"
    torch.save(change(ours), path)
    with pytest.raises(WeightsError, match=message) as caught:
        load_checkpoint(path)
    assert str(caught.value) == printable(str(caught.value))
