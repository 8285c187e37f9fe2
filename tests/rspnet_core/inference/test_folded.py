import copy

import pytest
import torch
from torch import Tensor, nn

from rspnet_core.config import ClipGeometry, Normalisation
from rspnet_core.inference.torch_backend import TorchBackend, folded
from rspnet_core.models import BACKBONES, TORCHVISION_ENCODERS, Network, create_backbone_model
from rspnet_core.models.backbone import Backbone
from rspnet_core.models.energy import Energy
from rspnet_core.models.outside import OutsideBackbone

NAMES = (*BACKBONES, *(f"torchvision:{name}" for name in TORCHVISION_ENCODERS))
NORMALISATION = Normalisation(mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.25))
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def batch_norms(network: nn.Module) -> list[nn.Module]:
    return [module for module in network.modules() if isinstance(module, BATCH_NORMS)]


def with_trained_statistics(network: nn.Module) -> nn.Module:
    """A fresh batch norm is the identity: to fold it would prove nothing."""
    torch.manual_seed(3)
    for norm in batch_norms(network):
        nn.init.normal_(norm.running_mean, std=0.3)
        nn.init.uniform_(norm.running_var, 0.3, 3.0)
        nn.init.uniform_(norm.weight, -0.5, 1.5)
        nn.init.normal_(norm.bias, std=0.3)
    return network.eval()


@pytest.fixture(scope="module", params=NAMES)
def backbone(request: pytest.FixtureRequest) -> Backbone:
    return with_trained_statistics(create_backbone_model(request.param, seed=0).backbone)


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def pixels(num_clips: int, num_frames: int, size: int) -> Tensor:
    """Clips as they are decoded, uint8 (num_clips, T, size, size, 3)."""
    shape = num_clips, num_frames, size, size, 3
    return torch.randint(256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def by_hand(clips: Tensor, normalisation: Normalisation = NORMALISATION) -> Tensor:
    """What a network takes in: a channel at a time, in float64, in planes."""
    each = zip(clips.unbind(dim=-1), normalisation.mean, normalisation.std, strict=True)
    return torch.stack([((channel / 255.0).double() - mean) / std for channel, mean, std in each], dim=1).float()


def assert_same(got: Tensor, expected: Tensor) -> None:
    assert expected.std() > 0
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-5 * expected.abs().max().item())


@torch.inference_mode()
def test_every_backbone_folds_to_the_same_features_for_clips_of_any_size(backbone: Backbone) -> None:
    form = folded(backbone)
    assert batch_norms(backbone)
    assert not batch_norms(form)
    for clips in (noise(1, 3, 8, 48, 48), noise(2, 3, 9, 32, 40)):
        assert_same(form(clips), backbone(clips))


@torch.inference_mode()
def test_the_backend_gives_the_features_and_leaves_the_backbone_as_it_was() -> None:
    backbone = with_trained_statistics(create_backbone_model("small18", seed=0).backbone)
    before, clips = copy.deepcopy(backbone.state_dict()), pixels(2, 8, 48)
    got = TorchBackend(backbone, NORMALISATION, device=torch.device("cpu"), precision=torch.float32)(clips)
    assert_same(got, backbone(by_hand(clips)))
    after = backbone.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], before[name]) for name in before)


class Dithered(nn.Module):
    """Foreign code: a trace would draw its noise once and for all."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.norm = nn.Conv3d(3, 4, 3), nn.BatchNorm3d(4)

    def forward(self, clips: Tensor) -> Tensor:
        return self.norm(self.convolution(clips)) + torch.rand(1)


def test_what_cannot_be_traced_safely_stays_as_it_is() -> None:
    network = Network(Dithered(), ClipGeometry(frames_per_clip=4, size=16))
    for backbone in (OutsideBackbone(network, "dithered"), Energy()):
        assert folded(backbone.eval()) is backbone
