"""``cloze``: of three clips of a video, what was done to the one in the middle?

VCP (Luo, Liu, Zhou, Yang, Ma, Ye and Wang, "Video cloze procedure for self-supervised spatio-temporal learning", AAAI
2020): the clip in the middle is withheld, and the blank filled with one of five options: the clip as it was, turned
(spatial rotation), its four tiles in another order (spatial permutation), another moment (temporal remote shuffling),
or two of its four parts exchanged (temporal adjacent shuffling). A linear layer on the features of all three tells
which. As in ``clip_order``, half a clip lies between two. A remote clip lies half a clip beyond the others, on either
side, where there any distant one will do: so all options are drawn of the same videos.
"""

from typing import Any

from torch import nn

from rspnet_core.pretext.operations import Operation
from rspnet_core.pretext.tasks.objective import Objective, Seen, classification
from rspnet_core.pretext.terms import Term
from rspnet_core.pretext.variants import Variants

_CLIPS = 3
_OPTIONS: tuple[Operation, ...] = ("forwards", "turned", "permuted", "remote", "exchanged")


class Cloze(Objective):
    """The option in the blank, read out of the features of all clips."""

    def __init__(self, channels: int, settings: Any) -> None:
        super().__init__(channels, settings)
        self.option = nn.Linear(_CLIPS * channels, len(_OPTIONS))

    @classmethod
    def variants(cls, settings: Any) -> Variants:
        """Three clips, one after another, an option in the middle."""
        return Variants(clips=_CLIPS, operations=_OPTIONS, picks="middle", layout="in turn")

    def forward(self, seen: Seen) -> Term:
        """Over the videos that are long enough; 0.2 is chance."""
        clips = seen.varied("cloze").transpose(0, 1).flatten(1)  # (R, clips x C)
        options = seen.batch.truths["cloze"].kinds[:, _CLIPS // 2]
        loss, accuracy = classification(self.option(clips), options, seen.batch.has_speeds)
        return Term(loss, {"cloze_accuracy": accuracy})
