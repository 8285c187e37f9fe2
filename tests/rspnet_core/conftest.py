"""Thin networks, for tests that train and whose claims do not depend on how many channels there are."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import save_small_weights


@pytest.fixture(scope="module")
def thin_networks() -> Iterator[None]:
    """While a module's tests run, ``tsm18`` and ``resnet18`` have few channels; processes they start have all."""
    from tests.rspnet_core.thin import thin

    with thin():
        yield


@pytest.fixture(scope="module")
def thin_weights(thin_networks: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As ``small_weights``, of a thin network."""
    path = tmp_path_factory.mktemp("thin") / "small.safetensors"
    save_small_weights(path, "tsm18")
    return path
