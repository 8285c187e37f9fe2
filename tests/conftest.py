"""What all tests share: the place of the real videos, and random states that no test leaves changed."""

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

REPOSITORY = Path(__file__).resolve().parent.parent
SHARED = REPOSITORY.parent / "shared"


@pytest.fixture
def real_videos() -> Path:
    """The folder of real and hostile videos; the test is skipped where it is absent."""
    if not (SHARED / "videos").is_dir():
        pytest.skip("the real videos are not beside this checkout")
    return SHARED / "videos"


@pytest.fixture(autouse=True)
def random_states_are_restored() -> Iterator[None]:
    """A test that seeds a global generator must not decide what the next one sees."""
    python, numpy, pytorch = random.getstate(), np.random.get_state(), torch.get_rng_state()
    yield
    random.setstate(python)
    np.random.set_state(numpy)
    torch.set_rng_state(pytorch)
