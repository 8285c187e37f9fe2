"""torchvision's published weights of its supervised video networks, downloaded and kept by torchvision."""

import pickle
from http.client import HTTPException
from pathlib import Path

import torch
from torch import Tensor

from rspnet_core.config import EncoderSpec
from rspnet_core.errors import WeightsError
from rspnet_core.models import EncoderModel, torchvision_weights
from rspnet_core.weights.checkpoint import describe, new_encoder
from rspnet_core.weights.files import one_line
from rspnet_core.weights.tensors import load_tensors


def load_torchvision(name: str) -> tuple[EncoderModel, EncoderSpec]:
    """The encoder ``torchvision:NAME`` in eval mode and its spec. Raises UnknownBackbone, WeightsError."""
    published = torchvision_weights(name.partition(":")[2])
    try:
        state = published.get_state_dict(progress=True, check_hash=True, map_location="cpu", weights_only=True)
    except (OSError, HTTPException, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        file = Path(torch.hub.get_dir()) / "checkpoints" / Path(published.url).name
        raise WeightsError(
            f"cannot get {name} from {published.url}: {one_line(error)}; delete {file} if it is there "
            "and try again, or download it by hand and save it there"
        ) from error
    model = new_encoder(name)
    load_tensors(model, _without_classifier(state), name)
    return model.eval(), describe(model, name, source=name, trained=True)


def _without_classifier(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"backbone.{key}": values for key, values in state.items() if not key.startswith(("fc.", "classifier."))}
