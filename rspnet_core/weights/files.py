"""Where a pair of files lies: ``NAME.safetensors`` with ``NAME.json`` beside it, or a folder as model hubs have it.

model.safetensors, model.json         what runs and libraries write
FOLDER/model.safetensors              what ``Encoder.save_pretrained`` writes and hubs serve
FOLDER/config.json                    the same description, with the name of this library in it
"""

import json
from pathlib import Path

from pydantic import ValidationError

from rspnet_core.config import EncoderSpec
from rspnet_core.errors import InvalidSetting, WeightsError
from rspnet_core.text import printable

SUFFIX = ".safetensors"
MODEL_NAME, CONFIG_NAME, CARD_NAME = "model.safetensors", "config.json", "README.md"
_HUB_ENTRIES = {"model_type": "rspnet", "library_name": "rspnet"}


def description_of(weights: Path) -> Path:
    """The description beside a file of weights: ``config.json`` in a hub's folder, else the same name with .json."""
    hub = weights.with_name(CONFIG_NAME)
    beside = weights.with_suffix(".json")
    return hub if weights.name == MODEL_NAME and hub.is_file() and not beside.is_file() else beside


def check_name(path: Path) -> None:
    """Raise InvalidSetting unless a file of that name can hold weights."""
    if path.suffix != SUFFIX:
        raise InvalidSetting(f"cannot save weights as {path}; the name must end in {SUFFIX}")


def config_text(spec: EncoderSpec) -> str:
    """``config.json``: the description with what hubs look for."""
    return json.dumps(_HUB_ENTRIES | spec.model_dump(mode="json"), indent=2) + "\n"


def read_spec(weights: Path) -> EncoderSpec:
    """The description of a file of weights. Raises WeightsError when it is missing or says anything else."""
    path = description_of(weights)
    try:
        content = path.read_bytes()
        if path.name == CONFIG_NAME:
            content = _without_hub_entries(content)
        return EncoderSpec.model_validate_json(content)
    except OSError as error:
        raise WeightsError(f"cannot read {path} ({one_line(error)}); keep it beside {weights.name}") from error
    except ValidationError as error:
        first = error.errors()[0]
        field = printable(".".join(str(part) for part in first["loc"]))[:80] or "the document"
        raise WeightsError(f"{path}: {field}: {first['msg']}; save or copy the weights again") from error


def _without_hub_entries(content: bytes) -> bytes:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return content  # what is wrong with it is said by who reads it next
    if isinstance(document, dict):
        document = {name: value for name, value in document.items() if name not in _HUB_ENTRIES}
    return json.dumps(document).encode()


def one_line(error: Exception) -> str:
    """What an error says, short and safe to show."""
    return printable(" ".join(str(error).split()))[:200] or type(error).__name__
