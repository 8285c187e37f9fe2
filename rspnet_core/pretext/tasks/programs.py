"""``programs`` and ``looks``: contrasts on rendered motion, whose truth is known (``video.making.programs``).

The clips of a batch stand in a ring, in which each program has two looks and each look two programs:

    clip      0     1     2     3     4     5  ...  2P-1
    program   0     0     1     1     2     2  ...  P-1
    look      0     1     1     2     2     3  ...  0

The motion head finds the clip of the same program, the appearance head that of the same look. The neighbour that has
the other thing in common is the hardest negative: among all others it would hardly count, so it is compared with the
partner in a term of its own, which is left out until a part of the run is over, as nothing starts from it.
"""

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from rspnet_core.pretext.tasks.objective import Objective, ObjectiveSettings, Seen
from rspnet_core.pretext.terms import Term


class _RingSettings(ObjectiveSettings):
    """Of ``[objectives.programs]`` and ``[objectives.looks]``."""

    temperature: float = Field(default=0.1, gt=0)
    hard_from: float = Field(default=0.15, ge=0, le=1)
    """Part of the run from which the neighbour with the other thing in common is a negative."""


class ProgramContrast(Objective):
    """The motion head finds the same program in another look."""

    Settings = _RingSettings

    def forward(self, seen: Seen) -> Term:
        """Over all rendered clips."""
        loss, accuracy, before = _ring(seen.motion("rendered"), 0, seen.batch.progress, self.settings)
        return Term(loss, {"programs_top1": accuracy, "programs_before_look": before})


class LookContrast(Objective):
    """The appearance head finds the same look in another program."""

    Settings = _RingSettings

    def forward(self, seen: Seen) -> Term:
        """Over all rendered clips."""
        loss, accuracy, before = _ring(seen.appearance("rendered"), 1, seen.batch.progress, self.settings)
        return Term(loss, {"looks_top1": accuracy, "looks_before_program": before})


def pairs_in_ring(places: Tensor, shift: int) -> Tensor:
    """The partner of each clip of a ring, int64 (n,): pairs (0, 1), (2, 3), ... for 0, (1, 2), ..., (last, 0) for 1."""
    return (((places + shift) ^ 1) - shift) % len(places)


def _ring(vectors: Tensor, shift: int, progress: float, settings: _RingSettings) -> tuple[Tensor, Tensor, Tensor]:
    """Loss, top-1 and how often the partner comes before the hard neighbour."""
    num = len(vectors)
    places = torch.arange(num, device=vectors.device)
    partner, neighbour = pairs_in_ring(places, shift), pairs_in_ring(places, 1 - shift)
    logits = vectors @ vectors.T / settings.temperature
    logits = logits.masked_fill(torch.eye(num, dtype=torch.bool, device=vectors.device), -torch.inf)
    top1 = (logits.argmax(dim=1) == partner).float().mean()
    gap = logits[places, partner] - logits[places, neighbour]
    logits = logits.index_put((places, neighbour), torch.tensor(-torch.inf, device=vectors.device))
    loss = F.cross_entropy(logits, partner)
    if progress >= settings.hard_from:
        loss = loss + F.softplus(-gap).mean()
    return loss, top1, (gap > 0).float().mean()
