import pytest
import torch

from rspnet_core.models import BACKBONES, TwoHeadModel, TwoHeadOutput, create_model


@pytest.fixture(scope="package", params=BACKBONES)
def model(request: pytest.FixtureRequest) -> TwoHeadModel:
    """An untrained model of every backbone, in eval mode; tests that change it take a deep copy."""
    return create_model(request.param, seed=0).eval()


@pytest.fixture(scope="package")
def clips() -> torch.Tensor:
    """Two small clips of noise, float32 (2, 3, 8, 80, 80)."""
    return torch.randn(2, 3, 8, 80, 80, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="package")
def out(model: TwoHeadModel, clips: torch.Tensor) -> TwoHeadOutput:
    """What the model makes of them."""
    with torch.inference_mode():
        return model(clips)
