"""``transform_rank``: of two clips of one video, which one was made by a given transform?

TransRank (Duan, Zhao, Chen and Lin, "TransRank: self-supervised video representation learning via ranking-based
transformation recognition", CVPR 2022): a transform is not classified clip by clip, as a clip that is sped up in one
video may look like a natural one of another; a read-out of each transform must score the clip that it made above other
clips of the *same* video. Here two clips of one window under one draw, of two of six transforms (speeds of 1 and 2;
forwards, backwards, shuffled), and a softplus in place of the hinge, as in ``order``.
"""

from typing import Any

from torch import nn
from torch.nn import functional as F

from rspnet_core.pretext.tasks.objective import Objective, Seen
from rspnet_core.pretext.terms import Term
from rspnet_core.pretext.variants import Variants

_VARIANTS = Variants(2, (1, 2), ("forwards", "backwards", "shuffled"), picks="different", layout="together")


class TransformRanking(Objective):
    """The clip of a transform scores higher in its column."""

    def __init__(self, channels: int, settings: Any) -> None:
        super().__init__(channels, settings)
        self.scores = nn.Linear(channels, len(_VARIANTS.kinds))

    @classmethod
    def variants(cls, settings: Any) -> Variants:
        """Two clips of different kinds."""
        return _VARIANTS

    def forward(self, seen: Seen) -> Term:
        """Over the videos that are long enough, in both columns; 0.5 is chance."""
        kinds, counts = seen.batch.truths["transform_rank"].kinds, seen.batch.has_speeds[:, None]
        one, other = self.scores(seen.varied("transform_rank"))  # (R, transforms) each
        gaps = (one - other).gather(1, kinds) * kinds.new_tensor([1, -1])  # own column of each clip
        total = 2 * counts.sum().clamp(min=1)
        loss = (F.softplus(-gaps) * counts).sum() / total
        return Term(loss, {"transform_rank_accuracy": ((gaps > 0) & counts).sum() / total})
