"""Weights from a model hub that speaks Hugging Face's protocol; needs ``rspnet[hub]``."""

import os
from pathlib import Path

from rspnet_core.errors import InvalidSetting, WeightsError
from rspnet_core.weights.download import cache_folder
from rspnet_core.weights.files import CONFIG_NAME, MODEL_NAME, one_line

HUB = "hf:"


def pull_from_hub(name: str) -> Path:
    """The folder in the cache that holds ``hf:USER/NAME`` or ``hf:USER/NAME@REVISION``, downloaded where it is not.

    Takes ``model.safetensors`` and ``config.json`` and nothing else. ``$HF_ENDPOINT`` names another hub, ``$HF_TOKEN``
    opens private repositories.

    Raises InvalidSetting for another form of name or without huggingface_hub, WeightsError when a file cannot be had.
    """
    repository, _, revision = name.removeprefix(HUB).partition("@")
    if repository.count("/") != 1 or not all(repository.split("/")):
        raise InvalidSetting(f"got {name!r}; a model on a hub is named hf:USER/NAME, or hf:USER/NAME@REVISION")
    try:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError
    except ImportError as error:
        raise InvalidSetting(f"{name} needs huggingface_hub; install it with `pip install 'rspnet[hub]'`") from error
    endpoint = os.environ.get("HF_ENDPOINT") or None
    try:
        paths = [
            hf_hub_download(
                repository,
                file,
                revision=revision or None,
                endpoint=endpoint,
                cache_dir=cache_folder() / "hub",
                library_name="rspnet",
            )
            for file in (CONFIG_NAME, MODEL_NAME)
        ]
    except (OSError, HfHubHTTPError, HFValidationError) as error:
        raise WeightsError(
            f"cannot get {name}: {one_line(error)}; check the name, set HF_TOKEN where it is private, HF_ENDPOINT "
            "where it lies on another hub"
        ) from error
    return Path(paths[0]).parent
