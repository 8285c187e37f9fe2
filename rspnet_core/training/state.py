"""The whole state of a run in one .safetensors file: tensors, and plain values as JSON in its header. No pickle."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from rspnet_core.atomic import replaced_when_complete
from rspnet_core.errors import WeightsError

_VALUES = "rspnet_run"


def write_state(path: Path, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
    """Replace ``path`` by these tensors and JSON values, whole or not at all. Raises WeightsError (disk full)."""
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replaced_when_complete(path) as temporary:
            save_file(contiguous, temporary, metadata={_VALUES: json.dumps(values)})
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"cannot write {path}: {error}; make room, then go on with --resume") from error


def read_state(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors on the CPU and values, as they were written. Raises WeightsError if the file is damaged or another's."""
    try:
        with safe_open(path, framework="pt") as file:
            values = json.loads(file.metadata()[_VALUES])
            return {name: file.get_tensor(name) for name in file.keys()}, values  # noqa: SIM118 (no mapping)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise WeightsError(
            f"{path} is no complete checkpoint of a run ({error}); remove it to use an older one"
        ) from error


def module_tensors(modules: dict[str, nn.Module]) -> dict[str, Tensor]:
    """Parameters and buffers of several modules under ``name/key``."""
    return {f"{name}/{key}": value for name, module in modules.items() for key, value in module.state_dict().items()}


def load_modules(modules: dict[str, nn.Module], tensors: dict[str, Tensor]) -> None:
    """Put back what ``module_tensors`` gave. Raises WeightsError when it is of other networks."""
    for name, module in modules.items():
        own = {key.partition("/")[2]: value for key, value in tensors.items() if key.startswith(f"{name}/")}
        try:
            module.load_state_dict(own)
        except RuntimeError as error:
            raise WeightsError(
                f"the checkpoint's {name} does not fit this recipe: {' '.join(str(error).split())[:200]}"
            ) from None


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The state that an optimiser keeps for each parameter, under ``optimiser/number/name``."""
    state = optimiser.state_dict()["state"]
    return {
        f"optimiser/{number}/{name}": torch.as_tensor(value)
        for number, entry in state.items()
        for name, value in entry.items()
        if value is not None
    }


def load_optimiser(optimiser: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Put back what ``optimiser_tensors`` gave."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        kind, _, rest = key.partition("/")
        if kind == "optimiser":
            number, _, name = rest.partition("/")
            state.setdefault(int(number), {})[name] = value
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
