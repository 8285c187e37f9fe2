import hashlib
import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from rspnet_core.errors import WeightsError
from rspnet_core.weights.tensors import load_tensors, tensors_sha256


def hash_oracle(arrays: dict[str, np.ndarray]) -> str:
    """The documented hash, written over again with numpy."""
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(json.dumps([name, array.dtype.name, list(array.shape)]).encode() + b"\n" + array.tobytes("C"))
    return digest.hexdigest()


shapes = st.lists(st.integers(0, 4), max_size=3)


@given(st.dictionaries(st.text(max_size=5), shapes, max_size=4), st.sampled_from([np.float32, np.int64, np.float16]))
@settings(max_examples=40, deadline=None)
def test_hash_is_the_documented_one(shape_of: dict[str, list[int]], dtype: type) -> None:
    arrays = {name: np.arange(np.prod(shape), dtype=dtype).reshape(shape) for name, shape in shape_of.items()}
    assert tensors_sha256({name: torch.from_numpy(array) for name, array in arrays.items()}) == hash_oracle(arrays)


def test_hash_depends_on_names_shapes_dtypes_and_values_but_not_on_order_or_layout() -> None:
    values = torch.arange(24, dtype=torch.float32).reshape(1, 2, 3, 4)
    other = torch.zeros(2)
    base = tensors_sha256({"a": values, "b": other})
    assert base == tensors_sha256({"b": other, "a": values.contiguous(memory_format=torch.channels_last)})
    changed = values.clone()
    changed[0, 0, 0, 0] = 1e-6
    variants = [
        {"a": changed, "b": other},
        {"a": values.reshape(2, 12), "b": other},
        {"a": values.double(), "b": other},
        {"a": values.bfloat16(), "b": other},
        {"c": values, "b": other},
        {"a": values},
    ]
    hashes = {base, *(tensors_sha256(variant) for variant in variants)}
    assert len(hashes) == len(variants) + 1


def state() -> dict[str, torch.Tensor]:
    return {"weight": torch.ones(3, 2), "bias": torch.ones(3)}


def test_fitting_tensors_are_copied_in_the_dtype_of_the_model() -> None:
    model = nn.Linear(2, 3)
    load_tensors(model, {key: values.half() for key, values in state().items()}, "file")
    assert model.weight.dtype == torch.float32
    assert model.weight.eq(1).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"extra": torch.ones(1)}, "file: unknown key 'extra'"),
        ({"bias": None}, "file: missing key 'bias'"),
        ({"bias": torch.ones(4)}, r"file: key 'bias' has shape \(4,\), this backbone needs \(3,\)"),
        ({"bias": torch.ones(3, dtype=torch.int64)}, "file: key 'bias' is torch.int64"),
        ({"bias": torch.ones(3, dtype=torch.complex64)}, "file: key 'bias' is torch.complex64"),
        ({"bias": torch.ones(3).to_sparse()}, "file: key 'bias' is torch.float32 or not dense"),
        ({"bias": torch.ones(3, device="meta")}, "file: key 'bias' is torch.float32 or not dense"),
        ({"bias": torch.tensor([0, float("nan"), 0])}, "file: key 'bias' holds NaN or infinite"),
        ({"weight": torch.full((3, 2), float("-inf"))}, "file: key 'weight' holds NaN or infinite"),
        ({"bias": torch.zeros(1).expand(10**15)}, "file: key 'bias' has shape"),  # claims a petabyte
    ],
)
def test_tensors_that_do_not_fit_are_refused_by_name(change: dict[str, torch.Tensor | None], message: str) -> None:
    model = nn.Linear(2, 3)
    before = model.weight.clone()
    tensors = {key: values for key, values in {**state(), **change}.items() if values is not None}
    with pytest.raises(WeightsError, match=message):
        load_tensors(model, tensors, "file")
    assert model.weight.equal(before)
