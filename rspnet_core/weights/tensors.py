"""State dicts as data: their hash, and whether they are the weights of a given network."""

import hashlib
import json
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from rspnet_core.errors import WeightsError

Tensors = Mapping[str, Tensor]


def tensors_sha256(tensors: Tensors) -> str:
    """SHA-256 in hex over names (sorted), dtypes, shapes and values; memory layout and device do not matter."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        values = tensors[name].detach().cpu().contiguous()
        header = [name, str(values.dtype).removeprefix("torch."), list(values.shape)]
        digest.update(json.dumps(header).encode() + b"\n")
        if values.numel():  # bytes of an empty tensor cannot be viewed
            digest.update(values.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def load_tensors(model: nn.Module, tensors: Tensors, origin: str, *, name_in_file: Callable[[str], str] = str) -> None:
    """Copy ``tensors`` into ``model`` (in its own dtypes) if they are exactly its weights.

    ``origin`` says in messages whose they are, ``"model.safetensors (resnet18)"``; ``name_in_file`` gives the name
    there of a tensor of the model. Raises WeightsError that names the first key that is unknown, missing, of another
    shape or kind, or not finite.
    """
    wanted = model.state_dict()
    for key in sorted(tensors.keys() - wanted.keys()):
        raise WeightsError(f"{origin}: unknown key {name_in_file(key)!r}; give weights of this backbone and no others")
    for key in sorted(wanted.keys() - tensors.keys()):
        raise WeightsError(f"{origin}: missing key {name_in_file(key)!r}; give the complete weights of this backbone")
    for key, expected in wanted.items():
        _check_kind(tensors[key], expected, f"{origin}: key {name_in_file(key)!r}")
    check_finite(tensors, origin, name_in_file=name_in_file)
    model.load_state_dict(dict(tensors))


def check_finite(tensors: Tensors, origin: str, *, name_in_file: Callable[[str], str] = str) -> None:
    """Raise WeightsError naming the first key that holds NaN or infinite values."""
    for key, values in tensors.items():
        if not torch.isfinite(values).all():
            raise WeightsError(
                f"{origin}: key {name_in_file(key)!r} holds NaN or infinite values; "
                "use weights saved before the training diverged"
            )


def _check_kind(values: Tensor, expected: Tensor, key: str) -> None:
    if values.shape != expected.shape:
        raise WeightsError(
            f"{key} has shape {tuple(values.shape)}, this backbone needs {tuple(expected.shape)}; "
            "give weights of this backbone"
        )
    plain = values.layout == torch.strided and not (values.is_meta or values.is_quantized)
    if not plain or values.is_floating_point() != expected.is_floating_point():
        raise WeightsError(
            f"{key} is {values.dtype} or not dense, this backbone needs dense {expected.dtype}; "
            "save the weights again as plain float32 tensors"
        )
