"""Checkpoints as training programs save them (``.pth.tar``, ``.pt``, ``.ckpt``), read safely, renamed to our names.

The authors' file is a pickled dict with ``arch`` and ``model``; others hold ``state_dict``, or are the state dict
itself. Of its names, prefixes of wrappers are taken off first, in any order: module, _orig_mod, model, state_dict,
encoder_q. Then:

    encoder.* or backbone.*      -> backbone.*          less the backbone's own unused classifier (fc or linear)
    fc1.2.{weight,bias}          -> appearance_head.*   (A-VID)
    fc2.2.{weight,bias}          -> motion_head.*       (RSP)
    encoder_k.*, queue, queue_ptr   left out: the momentum copy and its negatives
"""

import pickle
import re
import warnings
import zipfile
from collections.abc import Iterable
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
_OUR_PREFIXES = ("backbone.", "appearance_head.", "motion_head.")
_WRAPPERS = re.compile(r"(?:(?:module|_orig_mod|model|state_dict|encoder_q)\.)+")
_LEFT_OUT_PREFIXES = ("encoder_k.", "encoder.fc.", "encoder.linear.")
_LEFT_OUT = ("queue", "queue_ptr")
_STATES = ("model", "state_dict", "model_state_dict", "model_state")
_COUNTER = ".num_batches_tracked"
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
    state = _state_of(content)
    if state is None or (not state and "arch" not in content):
        raise WeightsError(f"{shown(path)}: holds {_summary(content)}; {_CONTENT}")
    if not isinstance(state, dict) or not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in state.items()):
        raise WeightsError(f"{shown(path)}: 'model' does not map names to tensors; {_CONTENT}")
    if (arch := content.get("arch")) is None or "arch" in state:
        tensors = _rename(state, path)
        return OfficialCheckpoint(_backbone_of(tensors, path), tensors)
    if not isinstance(arch, str):
        raise WeightsError(f"{shown(path)}: holds {_summary(content)}; {_CONTENT}")
    if arch not in BACKBONE_OF_ARCH and arch not in BACKBONES:
        raise WeightsError(f"{shown(path)}: unknown arch {arch[:80]!r}; can import {', '.join(BACKBONE_OF_ARCH)}")
    return OfficialCheckpoint(BACKBONE_OF_ARCH.get(arch, arch), _rename(state, path))


def _state_of(content: Any) -> Any:
    """The part of a checkpoint that maps names to tensors: under a usual name, or the whole of it; None of others."""
    if not isinstance(content, dict):
        return None
    named = next((content[name] for name in _STATES if name in content and not isinstance(content[name], Tensor)), None)
    if named is None and content and all(isinstance(value, Tensor) for value in content.values()):
        return content
    return named


def shown(path: Path) -> str:
    """A file's name for a message."""
    return printable(str(path))


def _backbone_of(tensors: dict[str, Tensor], path: Path) -> str:
    """The network whose weights have these names and shapes."""
    found = {name: values.shape for name, values in tensors.items() if _is_of_backbone(name)}
    for name, entry in BACKBONES.items():
        if entry.takes_heads and found:
            with torch.device("meta"):
                wanted = {f"backbone.{key}": values.shape for key, values in entry.create().state_dict().items()}
            if found == {key: shape for key, shape in wanted.items() if _is_of_backbone(key)}:
                return name
    raise WeightsError(
        f"{shown(path)}: its names and shapes are of none of {', '.join(BACKBONE_OF_ARCH)}, and it has no 'arch' that "
        "names one; give a checkpoint of one of these networks"
    )


def _is_of_backbone(name: str) -> bool:
    return name.startswith("backbone.") and not name.endswith(_COUNTER)


def official_name(name: str) -> str:
    """The name in an official checkpoint of a tensor of ours."""
    for theirs, ours in _RENAMED_PREFIXES.items():
        if name.startswith(ours):
            return theirs + name.removeprefix(ours)
    return name


def _rename(state: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    tensors = {}
    for key, values in state.items():
        name = key[match.end() :] if (match := _WRAPPERS.match(key)) else key
        if name in _LEFT_OUT or name.startswith(_LEFT_OUT_PREFIXES):
            continue
        renamed = name if name.startswith(_OUR_PREFIXES) else None
        for theirs, ours in _RENAMED_PREFIXES.items():
            if name.startswith(own := theirs.removeprefix("encoder_q.")):
                renamed = ours + name.removeprefix(own)
        if renamed is None:
            raise WeightsError(
                f"{shown(path)}: unknown key {key!r} in 'model'; known are encoder_q.*, encoder_k.*, queue and "
                "queue_ptr: give an official checkpoint as it was published"
            )
        if renamed in tensors:
            raise WeightsError(f"{shown(path)}: several keys are {renamed!r}, such as {key!r}; keep one encoder")
        tensors[renamed] = values
    return tensors


def with_counters(tensors: dict[str, Tensor], wanted: Iterable[str]) -> dict[str, Tensor]:
    """``tensors`` with the counters of batches, which say nothing in a finished network, where a file left them out."""
    counters = {name: torch.zeros((), dtype=torch.int64) for name in wanted if name.endswith(_COUNTER)}
    return counters | tensors


def _load_safely(path: Path) -> Any:
    try:
        _refuse_compressed(path)
        with warnings.catch_warnings(action="ignore"):  # torch's remarks on unusual pickles; the outcome is what counts
            return torch.load(path, map_location="cpu", weights_only=True)
    except WeightsError:
        raise
    except Exception as error:  # a damaged or hostile pickle fails in any way it likes: KeyError, struct.error, ...
        if isinstance(error, pickle.UnpicklingError) and "Unsupported" in str(error) and _is_pickle(path):
            raise WeightsError(
                f"{shown(path)}: needs unsafe unpickling, which may run code that is in it: it does not load with "
                f"weights_only=True ({_detail(error)}); where you trust it, keep the safe types alone, "
                "torch.save({'arch': NAME, 'model': {name: tensor}}, FILE), and give that file"
            ) from error
        raise WeightsError(
            f"{shown(path)}: damaged, or not a checkpoint that loads with weights_only=True ({_detail(error)}); "
            "get the file again from where it was published"
        ) from error


def _is_pickle(path: Path) -> bool:
    """Whether a file begins as torch.save and pickle do; a text with the suffix of one is damaged, not unsafe."""
    with path.open("rb") as file:
        return file.read(4).startswith((b"\x80", b"PK\x03\x04"))


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
                raise WeightsError(f"{shown(path)}: a compressed zip; give the file as torch.save wrote it")


def _summary(content: object) -> str:
    if isinstance(content, dict):
        return f"a dict with {len(content)} keys ({', '.join(repr(key)[:40] for key in list(content)[:4])}, ...)"
    return f"a {type(content).__name__}"
