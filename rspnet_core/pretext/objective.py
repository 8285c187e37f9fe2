"""One training step of RSPNet: Algorithm 1 with the queue and momentum encoder that section 4 takes from MoCo.

    clips c_i, c_j, c_k of each video, s_i = s_j != s_k
      c_i --query encoder--> m_i, a_i                      gradients
      c_j, c_k --key encoder--> m_j, m_k, a_j, a_k         none; it follows the query encoder slowly
    rsp    max(0, margin - (p+ - p-)),  p+ = m_i . m_j,  p- = m_i . m_k         Eq. 2
    avid   InfoNCE of a_i against a_j or a_k, one at random (speed augmentation), and the queue      Eq. 3
    vid    the same against a_j alone, and c_i and c_j always play at the first speed
    sp     cross-entropy of s_i, predicted from the features of c_i
    the queue takes the appearance keys of the positives, with their videos' ids

With several processes the keys of all are gathered, so that every rank holds the same queue.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from rspnet_core.models.two_head import TwoHeadModel, TwoHeadOutput
from rspnet_core.pretext.batches import SpeedBatch
from rspnet_core.pretext.momentum import follow, measure_statistics, momentum_copy
from rspnet_core.pretext.queue import KeyQueue
from rspnet_core.pretext.recipe import PretrainRecipe
from rspnet_core.pretext.terms import Term, instance_discrimination, speed_prediction, speed_ranking, weighted_sum
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

    def inputs(self, batch: SpeedBatch) -> Tensor:
        """c_i."""
        return batch.anchor

    def start(self, batch: SpeedBatch) -> None:
        """Give the batch norms of both encoders statistics of real clips, before the first step of a run."""
        measure_statistics(self.query.model, batch.anchor)
        follow(self.keys, self.query.model, momentum=0.0)

    def loss(self, batch: SpeedBatch, query: nn.Module) -> Outcome[NewKeys | None]:
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
            triplet = motions if self._trains_all_clips else (motions[0], *keys.motion)
            terms["rsp"] = speed_ranking(*triplet, margin=recipe.margin, temperature=recipe.rsp_temperature)
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

    def _through_queries(self, batch: SpeedBatch, query: nn.Module) -> tuple[tuple[Tensor, ...], Tensor, Tensor | None]:
        """Motion vectors of c_i, or of all three clips where all take gradients; appearance and speed of c_i."""
        clips = (batch.anchor, batch.same_speed, batch.other_speed) if self._trains_all_clips else (batch.anchor,)
        motion, appearance, logits = query(torch.cat(clips))
        size = len(batch.anchor)
        return motion.split(size), appearance[:size], None if logits is None else logits[:size]

    @torch.no_grad()
    def _through_keys(self, batch: SpeedBatch) -> _Keys:
        """Keys of the clips that an objective asks for, before the query encoder's pass fills the memory."""
        positives = self.recipe.positives if self.recipe.appearance_objective is not None else "none"
        takes_motion = "rsp" in self.recipe.objectives and not self._trains_all_clips
        if takes_motion or positives == "both":
            out = self.keys(torch.cat([batch.same_speed, batch.other_speed]))
            same, other = out.appearance.chunk(2)
            chosen = torch.where(batch.positive_is_other[:, None], other, same)
            return _Keys(out.motion.chunk(2), (same, other) if positives == "both" else (chosen,))
        if positives == "random":
            clips = torch.where(batch.positive_is_other.view(-1, 1, 1, 1, 1), batch.other_speed, batch.same_speed)
            return _Keys((), (self.keys(clips).appearance,))
        return _Keys((), ())
