"""Several videos as one question: the motion of one with the look of another; more like these, less like those.

Each part of the question is a weighted sum of that part of its examples. The weights sum to 1, so that scores stay on
the scale of cosines, and one inner product ranks the library as for a single video. What hits shall be less like is
subtracted, as by Rocchio's feedback (Manning, Raghavan and Schuetze, Introduction to Information Retrieval, 2008,
section 9.1.1), in each part by itself:

    query, like and unlike     each part: (mean of query and like - UNLIKE x mean of unlike) / (1 - UNLIKE)
    query and look             backbone and motion of the query, appearance of the other
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from indexer.ingest.pooling import Layout
from rspnet_core.errors import InvalidSetting

UNLIKE = 0.4
"""How much the examples to be less like count, beside 1 for those to be like; chosen on training sides alone."""
MOST_EXAMPLES = 16

Example = TypeVar("Example")
Other = TypeVar("Other")


@dataclass(frozen=True, kw_only=True)
class Composition:
    """How many examples a question is made of: the query, others to be like, then those to be unlike."""

    likes: int = 1
    """With the query."""
    unlikes: int = 0
    has_look: bool = False
    """Whether the second of two gives the appearance, and nothing else. Raises InvalidSetting with other examples."""

    def __post_init__(self) -> None:
        if self.has_look and (self.likes, self.unlikes) != (2, 0):
            raise InvalidSetting(
                "the look of a second video goes with one query alone; leave out the other examples, or the look"
            )
        if self.count > MOST_EXAMPLES:
            raise InvalidSetting(f"got {self.count} examples with the query, allowed are at most {MOST_EXAMPLES}")

    @property
    def count(self) -> int:
        """Of all examples."""
        return self.likes + self.unlikes

    @property
    def of_few(self) -> "Composition":
        """With one video for all that are to be like, and one for all to be unlike: such examples vary together."""
        return Composition(likes=1 + self.has_look, unlikes=min(self.unlikes, 1), has_look=self.has_look)

    def coefficients(self, part: str) -> NDArray[np.float32]:
        """Float32 (count,), sum 1: what each example gives to a part of the question."""
        if self.has_look:
            return np.array([0, 1] if part == "appearance" else [1, 0], np.float32)
        taken = UNLIKE if self.unlikes else 0.0
        like = [1 / self.likes / (1 - taken)] * self.likes
        unlike = [-taken / self.unlikes / (1 - taken)] * self.unlikes if self.unlikes else []
        return np.array(like + unlike, np.float32)

    def compose(self, vectors: NDArray[np.float32], layout: Layout) -> NDArray[np.float32]:
        """The question float32 (D,) of its examples' vectors float32 (count, D), parts of unit length."""
        question = np.empty(layout.size, np.float32)
        for part, place in layout.slices().items():
            question[place] = self.coefficients(part) @ vectors[:, place]
        return question


ONE_VIDEO = Composition()


@dataclass(frozen=True, kw_only=True)
class Examples(Generic[Example]):
    """What a question is made of beside its query. Raises InvalidSetting for what does not go together."""

    look_of: Example | None = None
    like: tuple[Example, ...] = ()
    unlike: tuple[Example, ...] = ()

    def __post_init__(self) -> None:
        _ = self.composition

    def __iter__(self) -> Iterator[Example]:
        """In the order of a composition, which the query begins."""
        if self.look_of is not None:
            yield self.look_of
        yield from self.like
        yield from self.unlike

    @property
    def composition(self) -> Composition:
        """Of the query and these."""
        has_look = self.look_of is not None
        return Composition(likes=1 + len(self.like) + has_look, unlikes=len(self.unlike), has_look=has_look)

    def map(self, function: Callable[[Example], Other]) -> "Examples[Other]":
        """The same of something else of each."""
        return Examples(
            look_of=None if self.look_of is None else function(self.look_of),
            like=tuple(map(function, self.like)),
            unlike=tuple(map(function, self.unlike)),
        )

    def of_kind(self, kind: str) -> tuple[Example, ...]:
        """Those that are ``look_of``, ``like`` or ``unlike``."""
        found: dict[str, tuple[Example, ...]] = {
            "look_of": () if self.look_of is None else (self.look_of,),
            "like": self.like,
            "unlike": self.unlike,
        }
        return found[kind]

    def without(self, example: Example) -> "Examples[Example]":
        """All but this one."""
        like, unlike = (tuple(each for each in of if each != example) for of in (self.like, self.unlike))
        return Examples(look_of=None if self.look_of == example else self.look_of, like=like, unlike=unlike)

    def used(self) -> dict[str, Example | tuple[Example, ...]]:
        """What there is, by ``look_of``, ``like`` and ``unlike``."""
        return {name: value for name, value in vars(self).items() if value not in (None, ())}
