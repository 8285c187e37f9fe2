"""One step of Algorithm 1 written down line by line, as a first version of it would be: the yardstick of ``speed``.

It shares the networks and the draws with the real step, and nothing else: clips are augmented one by one by
torchvision, the three clips go through the encoder, both other clips through the key encoder after it, and queue,
losses and the momentum update are plain tensor arithmetic. Loss and gradients are those of the real step.
"""

import copy
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.transforms.v2 import functional as tv

from rspnet_core.config import Normalisation
from rspnet_core.models.two_head import PROJECTION_SIZE, TwoHeadModel
from rspnet_core.pretext.recipe import PretrainRecipe
from rspnet_core.pretext.views import ViewBatch
from rspnet_core.video.clips.augment import BLUR_REACH, BLUR_SIDE
from rspnet_core.video.clips.draws import Draw, Draws


@dataclass
class PlainStep:
    """RSP and A-VID on batches of ViewBatch, all of c_i, c_j and c_k with gradients."""

    model: TwoHeadModel
    recipe: PretrainRecipe
    keys: TwoHeadModel = field(init=False)
    queue: Tensor = field(init=False)
    """Float32 (up to K, 128)."""
    queue_ids: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.keys = copy.deepcopy(self.model).eval()
        device = next(self.model.parameters()).device
        self.queue = torch.zeros(0, PROJECTION_SIZE, device=device)
        self.queue_ids = torch.zeros(0, dtype=torch.long, device=device)

    def loss(self, batch: ViewBatch) -> Tensor:
        """The float32 loss of Eq. 1; the queue takes the keys."""
        recipe, size = self.recipe, len(batch.video_ids)
        c_i, slow, fast = batch.of("anchor"), batch.of("slow"), batch.of("fast")
        is_fast = batch.anchor_is_fast.view(-1, 1, 1, 1, 1)
        c_j, c_k = torch.where(is_fast, fast, slow), torch.where(is_fast, slow, fast)
        out = self.model(torch.cat([c_i, c_j, c_k]))
        m_i, m_j, m_k = out.motion.split(size)
        a_i = out.appearance[:size]
        p_plus = F.cosine_similarity(m_i, m_j) / recipe.rsp_temperature
        p_minus = F.cosine_similarity(m_i, m_k) / recipe.rsp_temperature
        rsp = torch.clamp(recipe.margin - (p_plus - p_minus), min=0).mean()
        with torch.no_grad():
            a_j, a_k = self.keys(c_j).appearance, self.keys(c_k).appearance
            takes_j = batch.positive_is_fast == batch.anchor_is_fast
            positive = torch.where(takes_j[:, None], a_j, a_k)
        q_plus = torch.einsum("bc,bc->b", a_i, positive)[:, None]
        q_minus = torch.einsum("bc,kc->bk", a_i, self.queue)
        q_minus = q_minus.masked_fill(batch.video_ids[:, None] == self.queue_ids[None], -torch.inf)
        logits = torch.cat([q_plus, q_minus], dim=1) / recipe.temperature
        avid = F.cross_entropy(logits, torch.zeros(size, dtype=torch.long, device=logits.device))
        self.queue = torch.cat([self.queue, positive])[-recipe.queue_size :]
        self.queue_ids = torch.cat([self.queue_ids, batch.video_ids])[-recipe.queue_size :]
        return rsp + recipe.appearance_weight * avid

    @torch.no_grad()
    def update_keys(self) -> None:
        """The key encoder follows the encoder, its running statistics too."""
        m = self.recipe.momentum
        ours = [*self.keys.parameters(), *self.keys.buffers()]
        for key, query in zip(ours, [*self.model.parameters(), *self.model.buffers()], strict=True):
            if key.is_floating_point():
                key.copy_(m * key + (1 - m) * query)


def apply_one_by_one(frames: Tensor, draws: Draws, size: int, normalisation: Normalisation) -> Tensor:
    """What ``augment.apply`` does, clip by clip with torchvision's functions, up to rounding of boxes and levels."""
    drawn = [Draw(*values) for values in torch.stack(draws, dim=1).tolist()]
    return torch.stack([_augmented(clip, draw, size, normalisation) for clip, draw in zip(frames, drawn, strict=True)])


def _augmented(clip: Tensor, draw: Draw, size: int, normalisation: Normalisation) -> Tensor:
    """uint8 (T, S, S', 3) -> float32 (3, T, size, size)."""
    height, width = clip.shape[1:3]
    images: Tensor = clip.permute(0, 3, 1, 2).float() / 255
    box = [round(part) for part in (draw.top * height, draw.left * width, draw.height * height, draw.width * width)]
    images = tv.resized_crop(images, *box, size=[size, size], antialias=True)
    if draw.is_flipped:
        images = tv.horizontal_flip(images)
    images = tv.adjust_brightness(images, draw.brightness)
    images = tv.adjust_contrast(images, draw.contrast)
    images = tv.adjust_saturation(images, draw.saturation)
    images = tv.adjust_hue(images, draw.hue_turns)
    if draw.blur_sigma > 0:
        side = 2 * max(int(BLUR_REACH * size) // 2, 1) + 1
        sigma = draw.blur_sigma * size / BLUR_SIDE
        images = tv.gaussian_blur(images, kernel_size=[side, side], sigma=[sigma, sigma])
    images = tv.normalize(images, mean=list(normalisation.mean), std=list(normalisation.std))
    return images.transpose(0, 1)
