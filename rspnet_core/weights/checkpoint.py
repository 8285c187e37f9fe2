"""Weights on disk: our ``.safetensors`` + ``.json``, written and read. No file of ours is ever a pickle."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from rspnet_core.atomic import replaced_when_complete
from rspnet_core.config import ClipGeometry, EncoderSpec, Normalisation
from rspnet_core.errors import MissingHead, UnknownBackbone, WeightsError, WeightsNotFound
from rspnet_core.models import BackboneModel, EncoderModel, HeadKind, TwoHeadModel, find_backbone, seeded
from rspnet_core.models.outside import is_import_path
from rspnet_core.text import printable
from rspnet_core.weights.files import (
    CONFIG_NAME,
    MODEL_NAME,
    SUFFIX,
    check_name,
    config_text,
    description_of,
    one_line,
    read_spec,
)
from rspnet_core.weights.official import official_name, read_official, shown, with_counters
from rspnet_core.weights.tensors import check_finite, load_tensors, tensors_sha256

UNTRAINED_SEED = 0


def describe(
    model: EncoderModel,
    backbone: str,
    *,
    source: str,
    trained: bool | None,
    geometry: ClipGeometry | None = None,
    normalisation: Normalisation | None = None,
    classes: Sequence[str] = (),
    fold: int | None = None,
) -> EncoderSpec:
    """Spec of a model as it is now, hash included; clips default to those that the backbone is made for.

    ``classes`` and ``fold`` are those of its classifier, where it has one.

    Raises UnknownBackbone.
    """
    if geometry is None or normalisation is None:
        own_clips, own_pixels = find_backbone(backbone, named_by_user=backbone).settings()
        geometry, normalisation = geometry or own_clips, normalisation or own_pixels
    return EncoderSpec(
        backbone=backbone,
        geometry=geometry,
        normalisation=normalisation,
        head=model.head_kind if isinstance(model, TwoHeadModel) else "none",
        classes=tuple(classes),
        fold=fold,
        source=source,
        trained=trained,
        sha256=tensors_sha256(model.state_dict()),
    )


def save_checkpoint(model: EncoderModel, spec: EncoderSpec, path: str | Path) -> EncoderSpec:
    """Write ``path`` (``.safetensors``) and the ``.json`` beside it, each atomically; an older pair is replaced.

    Returns the spec as written: its hash is that of the model now, whatever ``spec`` says.

    Raises InvalidSetting for another suffix, WeightsError for NaN or infinite weights and when the disk refuses.
    """
    path = Path(path)
    check_name(path)
    return _write_pair(model, spec, path, path.with_suffix(".json"), lambda spec: spec.model_dump_json(indent=2) + "\n")


def save_for_hub(model: EncoderModel, spec: EncoderSpec, folder: Path) -> EncoderSpec:
    """The same as ``model.safetensors`` and ``config.json`` of a folder that exists. Raises as ``save_checkpoint``."""
    return _write_pair(model, spec, folder / MODEL_NAME, folder / CONFIG_NAME, config_text)


def _write_pair(
    model: EncoderModel, spec: EncoderSpec, path: Path, described: Path, text: Callable[[EncoderSpec], str]
) -> EncoderSpec:
    tensors = _own_memory(model.state_dict())
    check_finite(tensors, str(path))
    spec = spec.model_copy(update={"sha256": tensors_sha256(tensors)})
    try:
        with replaced_when_complete(described) as description, replaced_when_complete(path) as weights:
            save_file(tensors, weights)
            description.write_text(text(spec), encoding="utf-8")
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"cannot write {path}: {one_line(error)}; choose a folder with room to write to") from error
    return spec


def _own_memory(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """On the CPU, each tensor in memory of its own: a file does not know of weights that two layers share."""
    tensors: dict[str, Tensor] = {}
    seen: set[int] = set()
    for name, values in state.items():
        kept = values.detach().cpu().contiguous()
        if kept.untyped_storage().data_ptr() in seen:
            kept = kept.clone()
        seen.add(kept.untyped_storage().data_ptr())
        tensors[name] = kept
    return tensors


def load_checkpoint(path: str | Path, *, named_by_user: str | None = None) -> tuple[EncoderModel, EncoderSpec]:
    """Encoder in eval mode on the CPU and its spec, from our format or, of any other suffix, an official checkpoint.

    Args:
        path: a file, or a folder that holds ``model.safetensors``.
        named_by_user: the backbone that a user typed. A file of weights whose backbone is code outside of the package
            is loaded where the user named the same; nothing else has such code imported.

    Raises WeightsError when the file is missing, damaged, unsafe or does not fit its backbone, naming the key.
    """
    path = Path(path)
    if path.is_dir():
        if not (path / MODEL_NAME).is_file():
            raise WeightsNotFound(f"{path} is a folder; give a weights file, such as {path / MODEL_NAME}")
        path = path / MODEL_NAME
    if not path.is_file():
        raise WeightsNotFound(f"no weights file {path}; give a {SUFFIX} or .pth.tar file, or official:resnet18")
    if path.suffix == SUFFIX:
        return _load_ours(path, named_by_user)
    return load_official(path, source=path.name)


def load_model(path: str | Path) -> TwoHeadModel:
    """The two-head model of ``load_checkpoint``, in eval mode.

    Raises WeightsError as ``load_checkpoint`` does, MissingHead for an encoder without heads.
    """
    model, spec = load_checkpoint(path)
    if not isinstance(model, TwoHeadModel):
        raise MissingHead(f"{path} holds {spec.backbone}, which has no heads; load it with load_checkpoint")
    return model


def load_official(path: Path, *, source: str) -> tuple[EncoderModel, EncoderSpec]:
    """An official checkpoint; ``source`` is what people are told of it. Raises WeightsError."""
    backbone, tensors = read_official(path)
    model = new_encoder(backbone)
    tensors = with_counters(tensors, model.state_dict())
    load_tensors(model, tensors, f"{shown(path)} ({backbone})", name_in_file=official_name)
    return model.eval(), describe(model, backbone, source=source, trained=True)


def new_encoder(backbone: str, head: HeadKind | Literal["none"] = "linear") -> EncoderModel:
    """A network for weights to be loaded into, with heads where its backbone takes them; code must be named before."""
    entry = find_backbone(backbone, named_by_user=backbone)
    with seeded(UNTRAINED_SEED):
        network = entry.create()
        return TwoHeadModel(network, head) if head != "none" and entry.takes_heads else BackboneModel(network)


def check_checkpoint(path: Path) -> None:
    """Raise WeightsError unless a file of ours is sound; code outside of the package is not imported to find out."""
    spec = read_spec(path)
    if is_import_path(spec.backbone):
        _check_hash(path, spec, _read_tensors(path))
    else:
        load_checkpoint(path)


def _load_ours(path: Path, named_by_user: str | None) -> tuple[EncoderModel, EncoderSpec]:
    spec = read_spec(path)
    try:
        find_backbone(spec.backbone, named_by_user=named_by_user)
    except UnknownBackbone as error:
        raise WeightsError(f"{description_of(path).name}: {printable(str(error))}") from error
    tensors = _read_tensors(path)
    model = new_encoder(spec.backbone, spec.head)
    if spec.classes:
        model.add_classifier(len(spec.classes))
    load_tensors(model, tensors, f"{path} ({spec.backbone})")
    _check_hash(path, spec, tensors)
    if any(values.dtype != tensors[name].dtype for name, values in model.state_dict().items()):
        # Of half precision: an encoder is known by what it computes with, which is what its next file will hold.
        spec = spec.model_copy(update={"sha256": tensors_sha256(model.state_dict())})
    return model.eval(), spec


def _read_tensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except Exception as error:  # SafetensorError, OSError, or what torch makes of a shape such as (0, 2**63): TypeError
        raise WeightsError(
            f"{path}: not a complete {SUFFIX} file ({one_line(error)}); save or copy it again"
        ) from error


def _check_hash(path: Path, spec: EncoderSpec, tensors: Mapping[str, Tensor]) -> None:
    found = tensors_sha256(tensors)
    if found != spec.sha256:
        raise WeightsError(
            f"{path}: SHA-256 of its tensors is {found}, {description_of(path).name} records {spec.sha256}; "
            "the two files do not belong together, copy or save both again"
        )
