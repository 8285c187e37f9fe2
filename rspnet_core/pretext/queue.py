"""The queue of keys that A-VID's negatives come from (He et al., MoCo, CVPR 2020; section 4 here: K = 16384)."""

import torch
from torch import Tensor, nn

from rspnet_core.models.two_head import PROJECTION_SIZE

_NO_VIDEO = -1


class KeyQueue(nn.Module):
    """First in, first out: the latest K keys, each with the id of its video. Its state is saved with the model's."""

    keys: Tensor
    video_ids: Tensor
    written: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("keys", torch.zeros(size, PROJECTION_SIZE))
        self.register_buffer("video_ids", torch.full((size,), _NO_VIDEO, dtype=torch.long))
        self.register_buffer("written", torch.zeros((), dtype=torch.long))  # keys ever put in

    def negatives(self) -> tuple[Tensor, Tensor]:
        """Keys float32 (n, 128) and their video ids int64 (n,); n is below K until the queue is full."""
        filled = min(int(self.written), self.size)
        return self.keys[:filled], self.video_ids[:filled]

    @torch.no_grad()
    def put(self, keys: Tensor, video_ids: Tensor) -> None:
        """Add a batch of any size, at the cost of the oldest keys; of a batch above K the last K stay."""
        start = int(self.written)
        kept = slice(max(len(keys) - self.size, 0), None)
        places = (start + torch.arange(len(keys), device=self.keys.device))[kept] % self.size
        self.keys[places] = keys.detach().float()[kept]
        self.video_ids[places] = video_ids[kept]
        self.written += len(keys)
