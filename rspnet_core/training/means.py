"""Running means of a run's figures."""

from dataclasses import dataclass, field

from torch import Tensor

from rspnet_core.training.run_folder import Figures


@dataclass
class Means:
    """Running means of figures, on the device until they are asked for."""

    sums: dict[str, Tensor | float] = field(default_factory=dict)
    count: int = 0

    def add(self, figures: dict[str, Tensor]) -> None:
        """Count one step."""
        self.sums = {name: self.sums.get(name, 0.0) + figure for name, figure in figures.items()}
        self.count += 1

    def plain(self) -> dict[str, float]:
        """The sums as numbers."""
        self.sums = {name: float(value) for name, value in self.sums.items()}
        return dict(self.sums)  # type: ignore[arg-type]

    def means(self) -> Figures:
        """Mean of each figure."""
        return {name: value / max(self.count, 1) for name, value in self.plain().items()}
