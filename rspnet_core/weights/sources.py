"""Every place that weights may come from, by what a user types as ``--weights`` and ``--backbone``.

    FILE.safetensors            ours; FILE.json beside it says what it is
    FOLDER                      ours: its model.safetensors
    FILE.pth.tar                an official checkpoint, read directly
    official:NAME               the same, pulled to the cache (``download``)
    torchvision:NAME            torchvision's supervised weights, downloaded by torchvision
    hf:USER/NAME[@REVISION]     ours, from a model hub
    rspnet:small                those that come with the package; also where neither weights nor a backbone are named
    a backbone alone            random weights of a fixed seed; those that it brings; none, where it needs none
    none                        the same; of resnet18 where no backbone is named

A further source is a function and a line in ``SOURCES``.
"""

from collections.abc import Callable

from pydantic import ValidationError

from rspnet_core.config import ClipGeometry, EncoderSpec
from rspnet_core.errors import InvalidSetting, WeightsError
from rspnet_core.models import BackboneModel, EncoderModel, find_backbone
from rspnet_core.models.outside import OutsideBackbone
from rspnet_core.models.torchvision_encoders import TORCHVISION
from rspnet_core.weights.checkpoint import UNTRAINED_SEED, describe, load_checkpoint, load_official, new_encoder
from rspnet_core.weights.download import pull
from rspnet_core.weights.hub import HUB, pull_from_hub
from rspnet_core.weights.shipped import DEFAULT, SHIPPED, load_shipped
from rspnet_core.weights.torchvision import load_torchvision

UNTRAINED = "none"
UNTRAINED_BACKBONE = "resnet18"

Loaded = tuple[EncoderModel, EncoderSpec]
SOURCES: dict[str, Callable[[str, str | None], Loaded]] = {
    TORCHVISION: lambda name, backbone: load_torchvision(name),
    "official:": lambda name, backbone: load_official(pull(name), source=name),
    HUB: lambda name, backbone: load_checkpoint(pull_from_hub(name), named_by_user=backbone),
    SHIPPED: lambda name, backbone: load_shipped(name),
}
"""Prefix -> what loads a name that begins with it; given also the backbone that the user typed."""


def load_encoder(weights: str | None, backbone: str | None, *, fps: float | None = None) -> Loaded:
    """Encoder in eval mode on the CPU and its spec, by what a user typed; the module's docstring lists the forms.

    Args:
        weights: where the weights come from; None is ``rspnet:small``, or what a backbone that is named brings.
        backbone: must agree with the weights; chooses the network where there are none. Code outside of the package is
            imported where it is named here, and nowhere else.
        fps: frames a second to resample videos to; None keeps what the weights say.

    Raises:
        WeightsError: the weights cannot be had or used, or are of another backbone.
        UsageError: an unknown name or a rate out of range.
    """
    if backbone is not None:
        find_backbone(backbone, named_by_user=backbone)
    model, spec = _load(weights, backbone)
    if backbone not in (None, spec.backbone):
        raise WeightsError(
            f"weights {weights} are of backbone {spec.backbone}, not {backbone}; leave the backbone out or give others"
        )
    return model, spec if fps is None else _resampled(spec, fps)


def _load(weights: str | None, backbone: str | None) -> Loaded:
    if weights is None and backbone is None:
        return load_shipped(DEFAULT)
    if weights is None or weights == UNTRAINED:
        return _load_named(backbone or UNTRAINED_BACKBONE)
    for prefix, load in SOURCES.items():
        if weights.startswith(prefix):
            return load(weights, backbone)
    return load_checkpoint(weights, named_by_user=backbone)


def _load_named(backbone: str) -> Loaded:
    """A backbone without weights of its own, or with those that it brings."""
    if backbone.startswith(TORCHVISION):
        return load_torchvision(backbone)
    entry = find_backbone(backbone, named_by_user=backbone)
    if not entry.brings_weights:
        model = new_encoder(backbone).eval()
        return model, describe(model, backbone, source=f"untrained (seed {UNTRAINED_SEED})", trained=False)
    network = entry.create()
    geometry, normalisation = entry.settings()
    trained = (not isinstance(network, OutsideBackbone) or network.trained) if entry.has_weights else None
    source = backbone if entry.has_weights else "no weights"
    encoder = BackboneModel(network).eval()
    spec = describe(encoder, backbone, source=source, trained=trained, geometry=geometry, normalisation=normalisation)
    return encoder, spec


def _resampled(spec: EncoderSpec, fps: float) -> EncoderSpec:
    try:
        geometry = ClipGeometry.model_validate({**spec.geometry.model_dump(), "fps": fps})
    except ValidationError as error:
        raise InvalidSetting(f"got fps {fps}, it must be over 0 and at most 240 frames a second") from error
    return spec.model_copy(update={"geometry": geometry})
