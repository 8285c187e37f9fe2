import torch

from rspnet_core.inference.pixels import normalised
from tests.rspnet_core.inference.test_folded import NORMALISATION, by_hand, pixels


def test_pixels_are_normalised_a_channel_by_its_own_numbers_and_stay_as_they_were() -> None:
    clips = pixels(2, 3, 17)
    before = clips.clone()
    for given in (clips, clips[:, :, :12, 5:], clips.flip(3)):  # as decoded, a part of the picture, mirrored
        got = normalised(given, NORMALISATION)
        torch.testing.assert_close(got, by_hand(given), rtol=0, atol=1e-6)
        assert got.is_contiguous(memory_format=torch.channels_last_3d)
    assert torch.equal(clips, before)
