"""The stem's ReLU comes after its pooling; the paper's network has it before."""

import torch
from torch import Tensor
from torch.nn import functional as F

from rspnet_core.models.resnet3d import ResNet3D18


def as_published(network: ResNet3D18, clips: Tensor) -> Tensor:
    x = F.max_pool3d(F.relu(network.bn1(network.conv1(clips))), kernel_size=3, stride=2, padding=1)
    features: Tensor = network.layer4(network.layer3(network.layer2(network.layer1(x))))
    return features


def test_features_and_gradients_are_those_of_relu_before_pooling() -> None:
    torch.manual_seed(0)
    network = ResNet3D18().double().train()
    clips = torch.randn(2, 3, 4, 16, 16, dtype=torch.float64)
    results = []
    for forward in (network, lambda clips: as_published(network, clips)):
        network.zero_grad()
        features = forward(clips)
        features.square().sum().backward()
        gradients = torch.cat([parameter.grad.flatten() for parameter in network.parameters()])
        results.append((features.detach(), gradients))
    (features, gradients), (expected_features, expected_gradients) = results
    assert features.equal(expected_features)
    assert gradients.equal(expected_gradients)
    assert gradients.norm() > 0
