"""Weights files with anything in them: an encoder or one plain error, and no code of theirs ever runs."""

import io
import json
import os
import pickle
import struct
import subprocess
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rspnet_core.errors import WeightsError
from rspnet_core.models import TwoHeadModel
from rspnet_core.text import printable
from rspnet_core.weights import checkpoint
from rspnet_core.weights.checkpoint import describe, load_checkpoint, save_checkpoint
from rspnet_core.weights.official import read_official
from tests.rspnet_core.hand_set_encoder import hand_set_encoder

FUZZ: dict[str, Any] = {
    "deadline": None,
    "derandomize": True,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}
Edit = Callable[[bytes], bytes]


def one_plain_line(error: WeightsError) -> None:
    assert str(error) == printable(str(error)) and len(str(error)) < 700


def _cut(share: float) -> Edit:
    return lambda content: content[: int(len(content) * share)]


def _overwrite(share: float, piece: bytes) -> Edit:
    def edit(content: bytes) -> bytes:
        place = int(len(content) * share)
        return content[:place] + piece + content[place + len(piece) :]

    return edit


def _insert(share: float, piece: bytes) -> Edit:
    def edit(content: bytes) -> bytes:
        place = int(len(content) * share)
        return content[:place] + piece + content[place:]

    return edit


shares = st.floats(0, 1, exclude_max=True) | st.floats(0, 0.1)
pieces = st.binary(min_size=1, max_size=9)
edits = st.lists(
    st.builds(_cut, shares) | st.builds(_overwrite, shares, pieces) | st.builds(_insert, shares, pieces),
    min_size=1,
    max_size=3,
)


def damaged(content: bytes, edits: list[Edit]) -> bytes:
    for edit in edits:
        content = edit(content)
    return content


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An encoder of four small tensors, which the file's backbone stands for."""
    encoder = hand_set_encoder()
    assert isinstance(encoder, TwoHeadModel)
    monkeypatch.setattr(checkpoint, "new_encoder", lambda backbone, head="linear": hand_set_encoder())
    path = tmp_path / "small.safetensors"
    save_checkpoint(encoder, describe(encoder, "s3dg", source="test", trained=True), path)
    load_checkpoint(path)
    yield path


def assert_loads_or_says_why(path: Path) -> None:
    try:
        assert load_checkpoint(path)[1].backbone
    except WeightsError as error:
        one_plain_line(error)


def assert_edits_load_or_say_why(path: Path, suffix: str, edits: list[Edit]) -> None:
    file = path.with_suffix(suffix)
    whole = file.read_bytes()
    try:
        file.write_bytes(damaged(whole, edits))
        assert_loads_or_says_why(path)
    finally:
        file.write_bytes(whole)


@settings(max_examples=150, **FUZZ)
@given(suffix=st.sampled_from([".safetensors", ".json"]), edits=edits)
def test_damaged_pairs_load_or_say_why(saved, suffix, edits):
    assert_edits_load_or_say_why(saved, suffix, edits)


@pytest.mark.slow
@settings(max_examples=2000, **FUZZ)
@given(suffix=st.sampled_from([".safetensors", ".json"]), edits=edits)
def test_very_many_damaged_pairs_load_or_say_why(saved, suffix, edits):
    assert_edits_load_or_say_why(saved, suffix, edits)


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6)
values = st.recursive(scalars, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=4), v, max_size=3))
DTYPES = ["F32", "F64", "F16", "BF16", "F8_E4M3", "F8_E8M0", "F4", "C64", "BOOL", "I64", "U16", "X"]
tensors = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(DTYPES) | values,
        "shape": st.lists(st.sampled_from([0, 1, 2, 4, 64, 128, 256, 2**31, 2**63, -1]), max_size=4) | values,
        "data_offsets": st.lists(st.sampled_from([0, 512, 1024, 2560, 5120, 2**63]), min_size=2, max_size=2) | values,
    }
)
NAMES = ["appearance_head.bias", "appearance_head.weight", "motion_head.bias", "motion_head.weight", "__metadata__"]


def test_a_shape_that_no_tensor_has_is_one_plain_error(saved):
    tensor = {"dtype": "F32", "shape": [0, 2**63], "data_offsets": [0, 0]}
    header = json.dumps({"motion_head.bias": tensor}).encode()
    saved.write_bytes(struct.pack("<Q", len(header)) + header)
    with pytest.raises(WeightsError, match=r"not a complete \.safetensors file") as caught:
        load_checkpoint(saved)
    one_plain_line(caught.value)


headers = st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=5), tensors | values, max_size=5)


def assert_fields_load_or_say_why(path: Path, header: dict[str, Any], fields: dict[str, Any]) -> None:
    """The files' documents with these entries in the place of their own."""
    description, weights = path.with_suffix(".json").read_bytes(), path.read_bytes()
    length = struct.unpack("<Q", weights[:8])[0]
    try:
        changed = json.dumps(json.loads(weights[8 : 8 + length]) | header).encode()
        path.write_bytes(struct.pack("<Q", len(changed)) + changed + weights[8 + length :])
        path.with_suffix(".json").write_text(json.dumps(json.loads(description) | fields))
        assert_loads_or_says_why(path)
    finally:
        path.write_bytes(weights)
        path.with_suffix(".json").write_bytes(description)


known_fields = ["backbone", "geometry", "normalisation", "head", "classes", "fold", "source", "trained", "sha256"]
descriptions = st.dictionaries(st.sampled_from(known_fields) | st.text(max_size=5), values, max_size=3)


@settings(max_examples=50, **FUZZ)
@given(header=headers | st.just({}), fields=descriptions | st.just({}))
def test_documents_with_other_entries_load_or_say_why(saved, header, fields):
    assert_fields_load_or_say_why(saved, header, fields)


@pytest.mark.slow
@settings(max_examples=2000, **FUZZ)
@given(header=headers | st.just({}), fields=descriptions | st.just({}))
def test_very_many_documents_with_other_entries_load_or_say_why(saved, header, fields):
    assert_fields_load_or_say_why(saved, header, fields)


def official_bytes(zip_format: bool) -> bytes:
    state = {
        "module.encoder_q.fc1.2.bias": torch.zeros(128),
        "module.encoder_q.encoder.conv1.weight": torch.ones(2, 3, 1, 1, 1),
        "queue": torch.zeros(128, 4),
    }
    file = io.BytesIO()
    torch.save({"arch": "resnet18", "epoch": 1, "model": state}, file, _use_new_zipfile_serialization=zip_format)
    return file.getvalue()


WHOLE = {zip_format: official_bytes(zip_format) for zip_format in (True, False)}


def assert_official_is_read_or_says_why(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    try:
        assert read_official(path).backbone
    except WeightsError as error:
        one_plain_line(error)


@settings(max_examples=200, **FUZZ)
@given(zip_format=st.booleans(), edits=edits)
def test_damaged_official_checkpoints_are_read_or_say_why(tmp_path, zip_format, edits):
    assert_official_is_read_or_says_why(tmp_path / "damaged.pth.tar", damaged(WHOLE[zip_format], edits))


@pytest.mark.slow
@settings(max_examples=2000, **FUZZ)
@given(zip_format=st.booleans(), edits=edits)
def test_very_many_damaged_official_checkpoints_are_read_or_say_why(tmp_path, zip_format, edits):
    assert_official_is_read_or_says_why(tmp_path / "damaged.pth.tar", damaged(WHOLE[zip_format], edits))


class Call:
    """Calls a function when it is unpickled by an unsafe loader."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self._call = function, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self._call


def calls(target: Path) -> list[Call]:
    return [
        Call(os.system, f"touch '{target}'"),
        Call(exec, f"open({str(target)!r}, 'w')"),
        Call(eval, f"open({str(target)!r}, 'w')"),
        Call(open, str(target), "w"),
        Call(subprocess.Popen, ["touch", str(target)]),
        Call(os.mkdir, str(target)),
        Call(getattr, "", "join"),
        Call(__import__, "antigravity"),
        Call(torch.load, str(target)),
        Call(torch.hub.load, str(target.parent), "x", "local"),
        Call(torch.jit.load, str(target)),
        Call(torch.save, {}, str(target)),
        Call(pickle.loads, pickle.dumps(Call(os.mkdir, str(target)))),
    ]


@pytest.mark.parametrize("place", ["arch", "model", "tensor", "key"])
@pytest.mark.parametrize("protocol", [2, 4])
def test_no_function_that_a_checkpoint_names_is_called(tmp_path, place, protocol):
    target, path = tmp_path / "owned", tmp_path / "evil.pth.tar"
    for call in calls(target):
        content: dict[Any, Any] = {"arch": "resnet18", "model": {"queue": torch.zeros(2)}}
        if place == "tensor":
            content["model"]["queue"] = call
        elif place == "key":
            content[call] = 1
        else:
            content[place] = call
        for zip_format in (True, False):
            torch.save(content, path, pickle_protocol=protocol, _use_new_zipfile_serialization=zip_format)
            with pytest.raises(WeightsError, match="weights_only=True") as caught:
                read_official(path)
            one_plain_line(caught.value)
        path.write_bytes(pickle.dumps(content, protocol))
        with pytest.raises(WeightsError):
            read_official(path)
        assert not target.exists()


def test_numbers_that_need_huge_memory_are_an_error(tmp_path):
    """A pickle of a few bytes can ask for a tensor of a terabyte, or for a storage that is not there."""
    whole = WHOLE[False]
    for size in (2**40, 2**62):
        number = bytes([pickle.LONG1[0], 8]) + size.to_bytes(8, "little")
        content = whole.replace(b"K\x80", number)
        assert content != whole
        with warnings.catch_warnings(action="error"):
            assert_official_is_read_or_says_why(tmp_path / "huge.pth.tar", content)
