"""An encoder as an ONNX file, which other programs run without PyTorch; needs ``rspnet[onnx]``.

frames uint8 (clips, T, size, size, 3) --normalised--> backbone --> features --pooled, heads--> a vector a part
"""

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, normalize

from rspnet_core.atomic import replaced_when_complete
from rspnet_core.config import EncoderSpec, Pooling
from rspnet_core.errors import InvalidSetting, WeightsError
from rspnet_core.inference.torch_backend import folded
from rspnet_core.models.two_head import EncoderModel, class_logits

_PACKAGES = ("onnx", "onnxscript", "onnxruntime")
INPUT = "frames"
LEAST_COSINE = 0.9999
"""Of each output of the file to PyTorch's."""


class _Exported(nn.Module):
    """What the file computes of each clip."""

    _mean: Tensor
    _std: Tensor

    def __init__(self, model: EncoderModel, spec: EncoderSpec, pooling: Pooling) -> None:
        super().__init__()
        self._network = folded(model.backbone)
        self._heads, self._classifier = nn.ModuleDict(model.heads), model.classifier
        self._model, self._pooling = (model,), pooling  # not a part of this module: its backbone is not exported
        mean, std = spec.normalisation.mean, spec.normalisation.std
        self.register_buffer("_mean", 255 * torch.tensor(mean).view(1, 3, 1, 1, 1))
        self.register_buffer("_std", 255 * torch.tensor(std).view(1, 3, 1, 1, 1))

    def forward(self, frames: Tensor) -> dict[str, Tensor]:
        """Frames uint8 (clips, T, H, W, 3), RGB -> outputs by name."""
        features = self._network((frames.permute(0, 4, 1, 2, 3).float() - self._mean) / self._std)
        parts = self._model[0].parts(features, self._pooling)
        outputs = {"features": features} | {name: normalize(part, dim=1) for name, part in parts.items()}
        if self._classifier is not None:
            outputs["probabilities"] = class_logits(features, self._classifier).softmax(dim=1)
        return outputs


def export_onnx(
    model: EncoderModel, spec: EncoderSpec, path: Path, *, pooling: Pooling = "max-mean"
) -> dict[str, list[int | str]]:
    """Write an encoder as an ONNX file for any number of clips, and check it against PyTorch on noise.

    Input: ``frames`` uint8 (clips, T, size, size, 3), RGB, of the encoder's clips. Outputs, float32: ``features``
    (clips, C, T', H', W'), and of each clip, of unit length, ``backbone``, ``motion`` and ``appearance`` (clips,
    length) as far as the encoder has them; ``probabilities`` (clips, classes) where it has a classifier. A library's
    vector of a video is the mean of those of its clips, each part of unit length again.

    Args:
        model: in eval mode, float32, on the CPU; not changed.
        spec: of its weights; kept in the file's metadata as ``rspnet``, JSON.
        path: of the file, replaced when the new one is complete.
        pooling: of the backbone's part.

    Returns:
        Shapes by output; a text is a dimension of any length.

    Raises:
        InvalidSetting: a package or the file's folder is missing, or the encoder is not one of rspnet's or
            torchvision's networks.
        WeightsError: the file computes something else.
    """
    _check(model)
    if not path.parent.is_dir():
        raise InvalidSetting(f"{path} cannot be written: there is no folder {path.parent}; make it, or name another")
    exported = _Exported(model, spec, pooling).eval()
    geometry = spec.geometry
    shape = (geometry.frames_per_clip, geometry.size, geometry.size, 3)
    generator = torch.Generator().manual_seed(0)
    example = torch.randint(256, (3, *shape), dtype=torch.uint8, generator=generator)
    with torch.inference_mode(False), torch.no_grad(), _quiet():
        wanted = exported(example)
        program: Any = torch.onnx.export(
            exported,
            (example[:2],),
            input_names=[INPUT],
            output_names=list(wanted),
            dynamic_shapes=({0: torch.export.Dim("clips")},),
            dynamo=True,
            verbose=False,
        )
    program.model.metadata_props["rspnet"] = json.dumps(spec.model_dump(mode="json") | {"pooling": pooling})
    with replaced_when_complete(path) as temporary:
        program.save(temporary, external_data=False)
        return _checked(temporary, example, wanted)


def _check(model: EncoderModel) -> None:
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        raise InvalidSetting(f"an ONNX file needs {', '.join(missing)}; `pip install 'rspnet[onnx]'`")
    if not model.backbone.is_traceable:
        raise InvalidSetting("networks of rspnet and torchvision alone become ONNX files; choose weights of one")


def _checked(path: Path, example: Tensor, wanted: dict[str, Tensor]) -> dict[str, list[int | str]]:
    """The shapes of the file's outputs. Raises WeightsError unless they are PyTorch's, of one clip and of several."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for count in (1, len(example)):
        got = session.run(list(wanted), {INPUT: np.asarray(example[:count])})
        for name, values in zip(wanted, got, strict=True):
            rows = torch.from_numpy(values).flatten(1), wanted[name][:count].flatten(1)
            if rows[0].shape != rows[1].shape or not (cosine_similarity(*rows) >= LEAST_COSINE).all():
                raise WeightsError(
                    f"the ONNX file's {name} of {count} clips are not PyTorch's, so it was not kept; please report the "
                    "encoder and the versions of torch, onnxscript and onnxruntime"
                )
    return {output.name: list(output.shape) for output in session.get_outputs()}


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporter tells of itself: deprecations and passes over the graph."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
