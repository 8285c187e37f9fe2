"""What the training loop asks of what it trains, of where batches come from, and of who watches."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from torch import Tensor, nn

Carried = TypeVar("Carried")


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Carried]):
    """What a forward pass found."""

    loss: Tensor
    """Float32 scalar, to go backward through."""
    figures: dict[str, Tensor]
    """Detached scalars."""
    carried: Carried
    """What ``after_step`` takes of it once the optimiser has stepped."""


class Task(Protocol[Carried]):
    """What is trained. The loop calls ``loss``, goes backward, steps, and hands the outcome to ``after_step``."""

    @property
    def trained(self) -> nn.Module:
        """The module that takes gradients."""

    @property
    def modules(self) -> dict[str, nn.Module]:
        """All modules that a step changes."""

    def inputs(self, batch: Any) -> Tensor:
        """What of a batch goes through the module."""

    def start(self, batch: Any) -> None:
        """Before the first step of a run, never after a resume."""

    def loss(self, batch: Any, module: nn.Module) -> Outcome[Carried]:
        """Loss of a batch and figures, through ``module``, which wraps ``trained``."""

    def after_step(self, outcome: Outcome[Carried]) -> None:
        """After the optimiser's step, whose loss was that of ``outcome``."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is found out about the network after an epoch."""

    figures: dict[str, float] = field(default_factory=dict)
    """For the run's figures; may be empty."""
    score: float | None = None
    """The higher the better; the epoch of the highest is the best one. None judges nothing."""


def no_judgement(epoch: int) -> Judgement:
    """What is found out after an epoch where nobody looks."""
    return Judgement()


class Batches(Protocol):
    """Where batches come from."""

    waited_seconds: float

    @property
    def paths(self) -> Sequence[str]:
        """The videos that are learnt from."""

    @property
    def unreadable(self) -> Mapping[str, str]:
        """Those of them that could not be read: path -> reason."""

    @property
    def steps_per_epoch(self) -> int:
        """Batches in which each video is seen about once."""

    def batches(self, first_step: int, num_steps: int) -> Iterator[tuple[Any, int]]:
        """Batches on the device, each with its number of samples."""


class Watcher(Protocol):
    """Who is told how the run goes, on rank 0."""

    def interval(self, figures: dict[str, Any]) -> None:
        """Means over the last steps."""

    def checkpoint(self, *, is_best: bool) -> None:
        """The state is on disk; write the encoder too."""
