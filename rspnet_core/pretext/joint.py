"""Several tasks at once upon one encoder: a ``training.task.Task`` whose tasks pull at the features with equal force.

    clips --backbone, mean over time--> maps --+-- view of rsp ---- mean, its layers --------- loss --+
                                               +-- view of still -- mean, motion head, norm -- loss --+-- sum
                                               +-- ...

The gradient of each loss at the maps is followed; losses are scaled so that each one's largest recent gradient has the
norm that its weight says, at the means where a task looks at these alone. A plain sum lets the loudest task drown the
others (measured: docs/results.md).
Behind each head stands a batch norm without scale; it is folded into the head when the encoder is written.
"""

import copy
import math
from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor, nn

from rspnet_core.models.two_head import PROJECTION_SIZE, TwoHeadModel
from rspnet_core.pretext.tasks import OBJECTIVES
from rspnet_core.pretext.tasks.objective import Objective, ObjectiveSettings, Seen
from rspnet_core.pretext.terms import Term, weighted_sum
from rspnet_core.pretext.views import ViewBatch
from rspnet_core.training.task import Outcome

_FORGETTING = 0.999
"""A step lets the largest gradient seen so far shrink by this factor: so slowly that a solved task fades."""
_FIRST_SCALE = 1e-3
"""Of a loss whose gradient was not seen yet."""


class GradientBalance(nn.Module):
    """The largest recent gradient of each task at the maps, and the factor that follows of it."""

    largest: Tensor

    def __init__(self, weights: Mapping[str, float]) -> None:
        super().__init__()
        self.weights = dict(weights)
        self.register_buffer("largest", torch.zeros(len(weights)))

    def factors(self) -> dict[str, Tensor]:
        """By which to multiply the losses of a step, each a scalar without gradient."""
        known = self.largest.clone()
        return {
            name: torch.where(known[place] > 0, weight / known[place].clamp(min=1e-12), _FIRST_SCALE)
            for place, (name, weight) in enumerate(self.weights.items())
        }

    def watched(self, maps: Tensor, name: str, factor: Tensor) -> Tensor:
        """The maps (n, C, H, W) for one task, whose gradient is noted when it comes back multiplied by ``factor``."""
        view = maps.view_as(maps)
        note = partial(self._note, list(self.weights).index(name), factor)
        view.register_hook(note)  # type: ignore[no-untyped-call]
        return view

    @torch.no_grad()
    def _note(self, place: int, factor: Tensor, gradient: Tensor) -> None:
        num_places = gradient.shape[2:].numel()  # a gradient g at the means is g / H W at each place of the maps
        norm = gradient.norm() * math.sqrt(num_places) / factor
        self.largest[place] = torch.maximum(norm, _FORGETTING * self.largest[place])


class JointModel(nn.Module):
    """What takes gradients: the encoder, and the layers of the tasks."""

    def __init__(self, model: TwoHeadModel, objectives: Mapping[str, ObjectiveSettings]) -> None:
        super().__init__()
        self.model = model
        self.norms = nn.ModuleDict({name: nn.BatchNorm1d(PROJECTION_SIZE, affine=False) for name in model.heads})
        self.tasks = nn.ModuleDict(
            {name: OBJECTIVES[name](model.channels, settings) for name, settings in objectives.items()}
        )
        self.balance = GradientBalance({name: settings.weight for name, settings in objectives.items()})

    def forward(self, clips: Tensor) -> Tensor:
        """Clips (n, 3, T, H, W) -> feature maps averaged over time, float32 (n, C, H', W')."""
        return self.model.features(clips).mean(dim=2, dtype=torch.float32)

    def heads(self) -> dict[str, Callable[[Tensor], Tensor]]:
        """The projection heads, standardised over the batch that they are given."""
        return {name: nn.Sequential(head, self.norms[name]) for name, head in self.model.heads.items()}

    @torch.no_grad()
    def exported(self) -> TwoHeadModel:
        """The encoder alone, in eval mode, each head's norm folded into it."""
        model = copy.deepcopy(self.model).eval()
        for name, head in model.heads.items():
            norm = self.norms[name]
            assert isinstance(head, nn.Linear)
            assert isinstance(norm, nn.BatchNorm1d)
            assert norm.running_mean is not None
            assert norm.running_var is not None
            scale = (norm.running_var + norm.eps).rsqrt()
            head.bias.copy_((head.bias - norm.running_mean) * scale)
            head.weight.mul_(scale[:, None])
        return model


class JointTask:
    """The loss of a batch of views: a ``training.task.Task``."""

    def __init__(self, joint: JointModel) -> None:
        self.joint = joint

    @property
    def trained(self) -> nn.Module:
        """Encoder and tasks."""
        return self.joint

    @property
    def modules(self) -> dict[str, nn.Module]:
        """All that a step changes."""
        return {"joint": self.joint}

    def inputs(self, batch: ViewBatch) -> Tensor:
        """All clips."""
        return batch.clips

    def start(self, batch: ViewBatch) -> None:
        """Nothing: batch norms see whole batches."""

    def loss(self, batch: ViewBatch, module: nn.Module) -> Outcome[dict[str, Seen]]:
        """Loss and figures, ``NAME_loss`` and what each task tells; see ``training.task.Task``."""
        maps = module(batch.clips)
        factors = self.joint.balance.factors()
        heads = self.joint.heads()
        seen = {name: Seen(self.joint.balance.watched(maps, name, factors[name]), batch, heads) for name in factors}
        terms: dict[str, Term] = {name: self.joint.tasks[name](each) for name, each in seen.items()}
        loss, figures = weighted_sum(terms, factors)
        figures["loss"], _ = weighted_sum(terms, self.joint.balance.weights)  # what can be compared between steps
        return Outcome(loss, {name: figure.detach() for name, figure in figures.items()}, seen)

    @torch.no_grad()
    def after_step(self, outcome: Outcome[dict[str, Seen]]) -> None:
        """Let the tasks remember what they saw; most compare within the batch, and remember nothing."""
        for name, seen in outcome.carried.items():
            task = self.joint.tasks[name]
            assert isinstance(task, Objective)
            task.remember(seen)
