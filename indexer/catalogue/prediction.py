"""What an encoder with a classifier says that a video shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from rspnet_core.text import printable


@dataclass(frozen=True, slots=True)
class Prediction:
    """The most probable class of a video; as text ``Bounce 93%``, safe for a terminal."""

    class_name: str
    """As the weights spell it: any characters."""
    probability: float
    """0 to 1."""

    @classmethod
    def most_likely(cls, probabilities: NDArray[np.float32], classes: Sequence[str]) -> Self | None:
        """Out of float32 (num_classes,), named by ``classes``; None where a number overflowed to NaN."""
        best = int(probabilities.argmax())  # of the first NaN, if there is one
        return None if np.isnan(probabilities[best]) else cls(classes[best], float(probabilities[best]))

    def __str__(self) -> str:
        return f"{printable(self.class_name)} {self.probability:.0%}"

    def to_json(self) -> dict[str, Any]:
        """As ``search --json`` prints it."""
        return {"class": self.class_name, "probability": self.probability}
