"""The authors' published checkpoints (``.pth.tar``): read safely, renamed to our names.

Such a file is a pickled dict with ``arch`` and ``model``; ``model`` holds the trained encoder, its momentum copy and
the queue of negatives. Only the trained encoder is taken:

    encoder_q.encoder.*             -> backbone.*          less the backbone's own unused classifier (fc or linear)
    encoder_q.fc1.2.{weight,bias}   -> appearance_head.*   (A-VID)
    encoder_q.fc2.2.{weight,bias}   -> motion_head.*       (RSP)
    encoder_k.*, queue, queue_ptr      left out
"""

import warnings
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from rspnet_core.errors import WeightsError
from rspnet_core.models import BACKBONES
from rspnet_core.text import printable

BACKBONE_OF_ARCH = {entry.arch: name for name, entry in BACKBONES.items() if entry.arch is not None}
"""The release's names of its networks -> ours."""

_RENAMED_PREFIXES = {
    "encoder_q.encoder.": "backbone.",
    "encoder_q.fc1.2.": "appearance_head.",
    "encoder_q.fc2.2.": "motion_head.",
}
_LEFT_OUT_PREFIXES = ("encoder_k.", "encoder_q.encoder.fc.", "encoder_q.encoder.linear.")
_LEFT_OUT = ("queue", "queue_ptr")
_WRAPPER_PREFIX = "module."
_CONTENT = "an official checkpoint is a dict with 'arch' (str) and 'model' (names to tensors)"


class OfficialCheckpoint(NamedTuple):
    """What is used of a published checkpoint."""

    backbone: str
    tensors: dict[str, Tensor]
    """By our names, on the CPU; not yet checked against the backbone."""


def read_official(path: Path) -> OfficialCheckpoint:
    """Read an official checkpoint, zip or legacy pickle format, without running any code that is in it.

    Raises WeightsError when the file is damaged, unsafe, no such checkpoint, or of an unknown network.
    """
    content = _load_safely(path)
    if not isinstance(content, dict) or not isinstance(content.get("arch"), str) or "model" not in content:
        raise WeightsError(f"{path}: holds {_summary(content)}; {_CONTENT}")
    arch, state = content["arch"], content["model"]
    if arch not in BACKBONE_OF_ARCH:
        raise WeightsError(f"{path}: unknown arch {arch!r}; can import {', '.join(BACKBONE_OF_ARCH)}")
    if not isinstance(state, dict) or not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in state.items()):
        raise WeightsError(f"{path}: 'model' does not map names to tensors; {_CONTENT}")
    return OfficialCheckpoint(BACKBONE_OF_ARCH[arch], _rename(state, path))


def official_name(name: str) -> str:
    """The name in an official checkpoint of a tensor of ours."""
    for theirs, ours in _RENAMED_PREFIXES.items():
        if name.startswith(ours):
            return theirs + name.removeprefix(ours)
    return name


def _rename(state: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    tensors = {}
    for key, values in state.items():
        name = key.removeprefix(_WRAPPER_PREFIX)
        if name in _LEFT_OUT or name.startswith(_LEFT_OUT_PREFIXES):
            continue
        prefix = next((prefix for prefix in _RENAMED_PREFIXES if name.startswith(prefix)), None)
        if prefix is None:
            raise WeightsError(
                f"{path}: unknown key {key!r} in 'model'; known are encoder_q.*, encoder_k.*, queue and queue_ptr: "
                "give an official checkpoint as it was published"
            )
        tensors[_RENAMED_PREFIXES[prefix] + name.removeprefix(prefix)] = values
    return tensors


def _load_safely(path: Path) -> Any:
    try:
        _refuse_compressed(path)
        with warnings.catch_warnings(action="ignore"):  # torch's remarks on unusual pickles; the outcome is what counts
            return torch.load(path, map_location="cpu", weights_only=True)
    except WeightsError:
        raise
    except Exception as error:  # a damaged or hostile pickle fails in any way it likes: KeyError, struct.error, ...
        raise WeightsError(
            f"{path}: damaged, or not a checkpoint that loads with weights_only=True ({_detail(error)}); "
            "get the file again from where it was published"
        ) from error


def _detail(error: Exception) -> str:
    """What was wrong, without torch's advice to load the file unsafely."""
    text = str(error).strip() or type(error).__name__
    line = text.rpartition("WeightsUnpickler error:")[2].strip().splitlines()[0]
    return printable(line.partition(". Please")[0])[:200]


def _refuse_compressed(path: Path) -> None:
    """torch.save never compresses: a zip that does may unpack to more memory than there is."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
                raise WeightsError(f"{path}: a compressed zip; give the file as torch.save wrote it")


def _summary(content: object) -> str:
    if isinstance(content, dict):
        return f"a dict with {len(content)} keys ({', '.join(repr(key)[:40] for key in list(content)[:4])}, ...)"
    return f"a {type(content).__name__}"
