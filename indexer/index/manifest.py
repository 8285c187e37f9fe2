"""What a generation says of itself: what it was made from, its files, and the segments of earlier generations in it."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from indexer.index.durable import FileFacts
from rspnet_core.config import Settings

FileName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,40}\.[a-z0-9]{1,10}$")]


class Approximation(Settings):
    """How a segment is searched whose parts have inverted files, and what is found so; measured when it was made."""

    probes: tuple[Annotated[int, Field(ge=1)], ...]
    """Lists of each part that are read for ten hits."""
    depth: int = Field(ge=1)
    """Candidates of each part that are compared exactly for ten hits."""
    recall: float = Field(ge=0, le=1)
    """Share of the ten nearest that is found, by the weights for which it is least."""


class Content(Settings):
    """What a generation was made from."""

    content_version: str
    """The catalogue's content version: another one there means that this generation is out of date."""
    fingerprint: str
    """The encoder's."""
    count: int = Field(ge=0)
    """Vectors in the generation's own segment."""
    dims: int = Field(ge=0)
    index_type: str = Field(default="flat", exclude_if=lambda name: name == "flat")
    """Of INDEX_TYPES, its own segment's; not written where it is flat, so that older versions read it."""
    approximation: Approximation | None = Field(default=None, exclude_if=lambda measured: measured is None)
    """None where its own segment is searched exactly."""
    replaced: int = Field(default=0, ge=0, exclude_if=lambda count: count == 0)
    """Videos that its own segment adds to the earlier ones, replaces or takes out; 0 where it has all that there is."""


class Segment(Settings):
    """Files that one generation published, and later ones go on with as they are."""

    generation: int = Field(ge=1)
    """In whose folder they lie."""
    count: int = Field(ge=0)
    """Vectors in it."""
    replaced: int = Field(default=0, ge=0)
    """As in :class:`Content`; so are the next two."""
    index_type: str = Field(default="flat", exclude_if=lambda name: name == "flat")
    approximation: Approximation | None = Field(default=None, exclude_if=lambda measured: measured is None)
    files: dict[FileName, FileFacts]

    @property
    def size(self) -> int:
        """What it costs to write it again, in videos; 1 for one that holds none, so that those do not pile up."""
        return max(self.count, self.replaced, 1)


class Manifest(Settings):
    """The contents of ``manifest.json``."""

    generation: int = Field(ge=1)
    created: datetime
    content: Content
    files: dict[FileName, FileFacts]
    older: tuple[Segment, ...] = Field(default=(), exclude_if=lambda segments: not segments)
    """Segments of earlier generations, oldest first; its own files come last and win over them."""

    @property
    def segments(self) -> tuple[Segment, ...]:
        """All of them, oldest first."""
        of = self.content
        return (
            *self.older,
            Segment(
                generation=self.generation,
                count=of.count,
                replaced=of.replaced,
                index_type=of.index_type,
                approximation=of.approximation,
                files=self.files,
            ),
        )
