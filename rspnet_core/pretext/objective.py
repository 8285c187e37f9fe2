"""One training step of RSPNet: Algorithm 1 with the queue and momentum encoder that section 4 takes from MoCo.

    clips c_i, c_j, c_k of each video, s_i = s_j != s_k; of c_j and c_k one is the batch's slow clip, one its fast one
      c_i --query encoder--> m_i, a_i                      gradients
      c_j, c_k --key encoder--> m_j, m_k, a_j, a_k         none; it follows the query encoder slowly
    rsp    max(0, margin - (p+ - p-)),  p+ = m_i . m_j,  p- = m_i . m_k         Eq. 2
    avid   InfoNCE of a_i against a_j or a_k, one at random (speed augmentation), and the queue      Eq. 3
    vid    the same against a_j alone, which plays as fast
    sp     cross-entropy of s_i, predicted from the features of c_i
    the queue takes the appearance keys of the positives, with their videos' ids

With several processes the keys of all are gathered, so that every rank holds the same queue.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from rspnet_core.models.two_head import TwoHeadModel, TwoHeadOutput
from rspnet_core.pretext.momentum import follow, measure_statistics, momentum_copy
from rspnet_core.pretext.queue import KeyQueue
from rspnet_core.pretext.recipe import PretrainRecipe
from rspnet_core.pretext.terms import Term, instance_discrimination, speed_prediction, speed_ranking, weighted_sum
from rspnet_core.pretext.views import ViewBatch
from rspnet_core.training.task import Outcome

Gather = Callable[[Tensor], Tensor]
"""(n, ...) of this process -> (sum of n, ...) of all, in the order of ranks."""


class QueryEncoder(nn.Module):
    """What takes gradients: the two-head model, and the classifier of ``sp`` where that is an objective."""

    def __init__(self, model: TwoHeadModel, num_speeds: int | None) -> None:
        super().__init__()
        self.model = model
        self.speed_classifier = None if num_speeds is None else nn.Linear(model.channels, num_speeds)

    def forward(self, clips: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Unit motion and appearance vectors (B, 128), and logits of the speeds (B, num_speeds) or None."""
        out: TwoHeadOutput = self.model(clips)
        logits = None
        if self.speed_classifier is not None:
            with torch.autocast(clips.device.type, enabled=False):
                logits = self.speed_classifier(out.features.mean(dim=(2, 3, 4), dtype=torch.float32))
        return out.motion, out.appearance, logits


class _Keys(NamedTuple):
    """What the key encoder says about a batch, each (B, 128)."""

    motion: tuple[Tensor, ...]
    """Of c_j and c_k; empty where they go through the query encoder."""
    positives: tuple[Tensor, ...]
    """Appearance of what c_i is paired with, one or both of c_j and c_k; empty without instance discrimination."""


class NewKeys(NamedTuple):
    """What a step adds to the queue, of all processes."""

    keys: Tensor
    """(n, 128)."""
    video_ids: Tensor
    """int64 (n,)."""


class RSPNetObjective:
    """Query encoder, key encoder and queue, and the loss of a batch: a ``training.task.Task``.

    Build it, then call ``start`` once per run.
    """

    def __init__(self, model: TwoHeadModel, recipe: PretrainRecipe) -> None:
        self.recipe = recipe
        model.motion_head.requires_grad_("rsp" in recipe.objectives)
        model.appearance_head.requires_grad_(recipe.appearance_objective is not None)
        self.query = QueryEncoder(model, len(recipe.speeds) if "sp" in recipe.objectives else None)
        self.keys = momentum_copy(model)
        self.queue = KeyQueue(recipe.queue_size)
        self.gather: Gather = lambda values: values

    @property
    def trained(self) -> nn.Module:
        """The query encoder."""
        return self.query

    @property
    def modules(self) -> dict[str, nn.Module]:
        """All that a step changes."""
        return {"query": self.query, "keys": self.keys, "queue": self.queue}

    def inputs(self, batch: ViewBatch) -> Tensor:
        """c_i."""
        return batch.of("anchor")

    def start(self, batch: ViewBatch) -> None:
        """Give the batch norms of both encoders statistics of real clips, before the first step of a run."""
        measure_statistics(self.query.model, batch.of("anchor"))
        follow(self.keys, self.query.model, momentum=0.0)

    def loss(self, batch: ViewBatch, query: nn.Module) -> Outcome[NewKeys | None]:
        """Loss, figures and new keys of a batch; the queue takes these ``after_step``, as the loss needs it unchanged.

        Args:
            batch: B videos.
            query: ``self.query``, or what wraps it for several processes or another precision.

        Returns:
            The float32 loss, and detached scalars: each objective's loss, the accuracies that the authors' release
            logs (speed ranking; K+1-way top-1 and top-5), and what tells of a collapse.
        """
        recipe = self.recipe
        keys = self._through_keys(batch)
        motions, appearance, speed_logits = self._through_queries(batch, query)
        terms: dict[str, Term] = {}
        new_keys = None
        if "rsp" in recipe.objectives:
            m_i, m_j, m_k = motions if self._trains_all_clips else (motions[0], *keys.motion)
            terms["rsp"] = speed_ranking(
                m_i, m_j, m_k, batch.anchor_is_fast, margin=recipe.margin, temperature=recipe.rsp_temperature
            )
        if speed_logits is not None:
            terms["sp"] = speed_prediction(speed_logits, batch.anchor_speeds)
        if recipe.appearance_objective is not None:
            negatives, ids = self.queue.negatives()
            is_own_video = batch.video_ids[:, None] == ids
            terms[recipe.appearance_objective] = instance_discrimination(
                appearance, keys.positives, negatives, temperature=recipe.temperature, is_own_video=is_own_video
            )
            new_keys = NewKeys(self.gather(keys.positives[-1]), self.gather(batch.video_ids))
        loss, figures = weighted_sum(terms, {name: recipe.weight_of(name) for name in terms})
        return Outcome(loss, figures, new_keys)

    def after_step(self, outcome: Outcome[NewKeys | None]) -> None:
        """Let the key encoder follow the query encoder, and the queue take the keys of the step."""
        follow(self.keys, self.query.model, self.recipe.momentum)
        if outcome.carried is not None:
            self.queue.put(*outcome.carried)

    @property
    def _trains_all_clips(self) -> bool:
        return "rsp" in self.recipe.objectives and self.recipe.rsp_gradients == "all"

    def _through_queries(self, batch: ViewBatch, query: nn.Module) -> tuple[tuple[Tensor, ...], Tensor, Tensor | None]:
        """Motion vectors of c_i, or of c_i, c_j and c_k where all take gradients; appearance and speed of c_i."""
        roles = ("anchor", "slow", "fast") if self._trains_all_clips else ("anchor",)
        motion, appearance, logits = query(torch.cat([batch.of(role) for role in roles]))
        size = len(batch.video_ids)
        first, *others = motion.split(size)
        triplet = (first, *_by_speed(batch, *others)) if others else (first,)
        return triplet, appearance[:size], None if logits is None else logits[:size]

    @torch.no_grad()
    def _through_keys(self, batch: ViewBatch) -> _Keys:
        """Keys of the clips that an objective asks for, before the query encoder's pass fills the memory."""
        pairs = self.recipe.appearance_objective is not None
        takes_motion = "rsp" in self.recipe.objectives and not self._trains_all_clips
        is_fast = batch.positive_is_fast if self.recipe.appearance_objective == "avid" else batch.anchor_is_fast
        if takes_motion or (pairs and self.recipe.positives == "both"):
            out = self.keys(torch.cat([batch.of("slow"), batch.of("fast")]))
            motions, (slow, fast) = _by_speed(batch, *out.motion.chunk(2)), out.appearance.chunk(2)
            both = _by_speed(batch, slow, fast)
            return _Keys(motions, both if self.recipe.positives == "both" else (_where(is_fast, fast, slow),))
        if pairs:
            return _Keys((), (self.keys(_where(is_fast, batch.of("fast"), batch.of("slow"))).appearance,))
        return _Keys((), ())


def _by_speed(batch: ViewBatch, slow: Tensor, fast: Tensor) -> tuple[Tensor, Tensor]:
    """What belongs to c_j and to c_k, of what belongs to the slow and the fast clips."""
    return _where(batch.anchor_is_fast, fast, slow), _where(batch.anchor_is_fast, slow, fast)


def _where(is_first: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Row by row."""
    return torch.where(is_first.view(-1, *[1] * (first.ndim - 1)), first, second)
