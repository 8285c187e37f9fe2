"""Thin networks, for tests that train and whose claims do not depend on how many channels there are."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import save_small_weights


@pytest.fixture(autouse=True, scope="session")
def curves_are_not_drawn() -> Iterator[None]:
    """At the end of a small run matplotlib would take a third of its time."""
    from rspnet_core.training import session

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "draw_curves", lambda folder, out: out.touch())
        yield


@pytest.fixture(scope="module")
def drawn_curves() -> Iterator[None]:
    """Runs draw their curves, as in the product."""
    from rspnet_core.training import curves, session

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "draw_curves", curves.draw_curves)
        yield


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
