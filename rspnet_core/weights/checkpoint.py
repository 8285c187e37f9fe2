"""Weights on disk: our ``.safetensors`` + ``.json``, and encoders from any source that a user may name.

``load_encoder`` takes what commands take as ``--weights`` and ``--backbone``:

    FILE.safetensors    ours; FILE.json beside it says what it is
    FILE.pth.tar        an official checkpoint, read directly
    official:NAME       the same, pulled to the cache (``download.py``)
    torchvision:NAME    torchvision's supervised weights, downloaded by torchvision
    None                untrained, of a fixed seed
"""

import pickle
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path
from typing import Literal

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from rspnet_core.atomic import replaced_when_complete
from rspnet_core.config import ClipGeometry, EncoderSpec, Normalisation
from rspnet_core.errors import InvalidSetting, MissingHead, UnknownBackbone, WeightsError
from rspnet_core.models import (
    Encoder,
    HeadKind,
    TwoHeadModel,
    create_backbone_model,
    create_model,
    create_torchvision_model,
    default_geometry,
    torchvision_settings,
    torchvision_weights,
)
from rspnet_core.text import printable
from rspnet_core.weights.download import pull
from rspnet_core.weights.official import official_name, read_official
from rspnet_core.weights.tensors import check_finite, load_tensors, tensors_sha256

SUFFIX = ".safetensors"
TORCHVISION = "torchvision:"
UNTRAINED_BACKBONE = "resnet18"
UNTRAINED_SEED = 0


def describe(
    model: Encoder,
    backbone: str,
    *,
    source: str,
    trained: bool,
    geometry: ClipGeometry | None = None,
    normalisation: Normalisation | None = None,
    classes: Sequence[str] = (),
    fold: int | None = None,
) -> EncoderSpec:
    """Spec of a model as it is now, hash included; clips default to those that the backbone is made for.

    ``classes`` and ``fold`` are those of its classifier, where it has one.

    Raises UnknownBackbone.
    """
    default_clips, default_pixels = _default_settings(backbone)
    return EncoderSpec(
        backbone=backbone,
        geometry=geometry or default_clips,
        normalisation=normalisation or default_pixels,
        head=model.head_kind if isinstance(model, TwoHeadModel) else "none",
        classes=tuple(classes),
        fold=fold,
        source=source,
        trained=trained,
        sha256=tensors_sha256(model.state_dict()),
    )


def save_checkpoint(model: Encoder, spec: EncoderSpec, path: str | Path) -> EncoderSpec:
    """Write ``path`` (``.safetensors``) and the ``.json`` beside it, each atomically; an older pair is replaced.

    Returns the spec as written: its hash is that of the model now, whatever ``spec`` says.

    Raises InvalidSetting for another suffix, WeightsError for NaN or infinite weights and when the disk refuses.
    """
    path = Path(path)
    if path.suffix != SUFFIX:
        raise InvalidSetting(f"cannot save weights as {path}; the name must end in {SUFFIX}")
    tensors = {name: values.detach().cpu().contiguous() for name, values in model.state_dict().items()}
    check_finite(tensors, str(path))
    spec = spec.model_copy(update={"sha256": tensors_sha256(tensors)})
    try:
        with replaced_when_complete(_spec_path(path)) as description, replaced_when_complete(path) as weights:
            save_file(tensors, weights)
            description.write_text(spec.model_dump_json(indent=2) + "\n", encoding="utf-8")
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"cannot write {path}: {_one_line(error)}; choose a folder with room to write to") from error
    return spec


def load_checkpoint(path: str | Path) -> tuple[Encoder, EncoderSpec]:
    """Encoder in eval mode on the CPU and its spec, from our format or, of any other suffix, an official checkpoint.

    Raises WeightsError when the file is missing, damaged, unsafe or does not fit its backbone, naming the key.
    """
    path = Path(path)
    if path.is_dir():
        raise WeightsError(f"{path} is a folder; give a weights file, such as {path / 'model.safetensors'}")
    if not path.is_file():
        raise WeightsError(f"no weights file {path}; give a {SUFFIX} or official .pth.tar file, or official:resnet18")
    return _load_ours(path) if path.suffix == SUFFIX else _load_official(path, source=path.name)


def load_model(path: str | Path) -> TwoHeadModel:
    """The two-head model of ``load_checkpoint``, in eval mode.

    Raises WeightsError as ``load_checkpoint`` does, MissingHead for an encoder without heads.
    """
    model, spec = load_checkpoint(path)
    if not isinstance(model, TwoHeadModel):
        raise MissingHead(f"{path} holds {spec.backbone}, which has no heads; load it with load_checkpoint")
    return model


def load_encoder(weights: str | None, backbone: str | None, *, fps: float | None = None) -> tuple[Encoder, EncoderSpec]:
    """Encoder in eval mode on the CPU and its spec, by what a user typed; the module's docstring lists the forms.

    Args:
        weights: where the weights come from; None with ``backbone="torchvision:NAME"`` means that name.
        backbone: must agree with the weights; chooses the network where there are none (``resnet18``).
        fps: frames a second to resample videos to; None keeps what the weights say.

    Raises:
        WeightsError: the weights cannot be had or used, or are of another backbone.
        UsageError: an unknown name or a rate out of range.
    """
    if backbone is not None:
        _default_settings(backbone)
        if weights is None and backbone.startswith(TORCHVISION):
            weights = backbone
    model, spec = _load_named(weights, backbone or UNTRAINED_BACKBONE)
    if backbone not in (None, spec.backbone):
        raise WeightsError(
            f"weights {weights} are of backbone {spec.backbone}, not {backbone}; leave the backbone out or give others"
        )
    return model, spec if fps is None else _resampled(spec, fps)


def _load_named(weights: str | None, untrained_backbone: str) -> tuple[Encoder, EncoderSpec]:
    if weights is None:
        model = create_model(untrained_backbone, seed=UNTRAINED_SEED).eval()
        return model, describe(model, untrained_backbone, source=f"untrained (seed {UNTRAINED_SEED})", trained=False)
    if weights.startswith(TORCHVISION):
        return _load_torchvision(weights)
    if weights.startswith("official:"):
        return _load_official(pull(weights), source=weights)
    return load_checkpoint(weights)


def _load_ours(path: Path) -> tuple[Encoder, EncoderSpec]:
    spec = _read_spec(path)
    try:
        tensors = load_file(path)
    except Exception as error:  # SafetensorError, OSError, or what torch makes of a shape such as (0, 2**63): TypeError
        raise WeightsError(
            f"{path}: not a complete {SUFFIX} file ({_one_line(error)}); save or copy it again"
        ) from error
    model = _create(spec.backbone, spec.head)
    if spec.classes:
        model.add_classifier(len(spec.classes))
    load_tensors(model, tensors, f"{path} ({spec.backbone})")
    found = tensors_sha256(tensors)
    if found != spec.sha256:
        raise WeightsError(
            f"{path}: SHA-256 of its tensors is {found}, {_spec_path(path).name} records {spec.sha256}; "
            "the two files do not belong together, copy or save both again"
        )
    return model.eval(), spec


def _read_spec(path: Path) -> EncoderSpec:
    description = _spec_path(path)
    try:
        spec = EncoderSpec.model_validate_json(description.read_bytes())
        _default_settings(spec.backbone)
    except OSError as error:
        raise WeightsError(f"cannot read {description} ({_one_line(error)}); keep it beside {path.name}") from error
    except ValidationError as error:
        first = error.errors()[0]
        field = printable(".".join(str(part) for part in first["loc"]))[:80] or "the document"
        raise WeightsError(f"{description}: {field}: {first['msg']}; save or copy the weights again") from error
    except UnknownBackbone as error:
        raise WeightsError(f"{description}: {printable(str(error))}") from error
    return spec


def _load_official(path: Path, *, source: str) -> tuple[Encoder, EncoderSpec]:
    backbone, tensors = read_official(path)
    model = _create(backbone)
    load_tensors(model, tensors, f"{path} ({backbone})", name_in_file=official_name)
    return model.eval(), describe(model, backbone, source=source, trained=True)


def _load_torchvision(backbone: str) -> tuple[Encoder, EncoderSpec]:
    published = torchvision_weights(backbone.removeprefix(TORCHVISION))
    try:
        state = published.get_state_dict(progress=True, check_hash=True, map_location="cpu", weights_only=True)
    except (OSError, HTTPException, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        file = Path(torch.hub.get_dir()) / "checkpoints" / Path(published.url).name
        raise WeightsError(
            f"cannot get {backbone} from {published.url}: {_one_line(error)}; delete {file} if it is there "
            "and try again, or download it by hand and save it there"
        ) from error
    model = _create(backbone)
    load_tensors(model, _without_classifier(state), backbone)
    return model.eval(), describe(model, backbone, source=backbone, trained=True)


def _without_classifier(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"backbone.{key}": values for key, values in state.items() if not key.startswith(("fc.", "classifier."))}


def _create(backbone: str, head: HeadKind | Literal["none"] = "linear") -> Encoder:
    """A network for weights to be loaded into."""
    if backbone.startswith(TORCHVISION):
        return create_torchvision_model(backbone.removeprefix(TORCHVISION))
    if head == "none":
        return create_backbone_model(backbone, seed=UNTRAINED_SEED)
    return create_model(backbone, seed=UNTRAINED_SEED, head=head)


def _default_settings(backbone: str) -> tuple[ClipGeometry, Normalisation]:
    if backbone.startswith(TORCHVISION):
        return torchvision_settings(backbone.removeprefix(TORCHVISION))
    return default_geometry(backbone), Normalisation()


def _resampled(spec: EncoderSpec, fps: float) -> EncoderSpec:
    try:
        geometry = ClipGeometry.model_validate({**spec.geometry.model_dump(), "fps": fps})
    except ValidationError as error:
        raise InvalidSetting(f"got fps {fps}, it must be over 0 and at most 240 frames a second") from error
    return spec.model_copy(update={"geometry": geometry})


def _spec_path(path: Path) -> Path:
    return path.with_suffix(".json")


def _one_line(error: Exception) -> str:
    return printable(" ".join(str(error).split()))[:200] or type(error).__name__
