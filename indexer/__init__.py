"""The video library: pooling, catalogue, FAISS index, search and retrieval reports.

>>> from indexer import Library
>>> Library.open("demo").search("clip.mp4", top=5)
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from indexer.retrieval.library import Library
    from indexer.retrieval.search import PartWeights

__all__ = ["Library", "PartWeights"]


def __getattr__(name: str) -> Any:
    """Import on first use: the command line answers ``--help`` without loading PyTorch."""
    if name == "Library":
        from indexer.retrieval.library import Library

        return Library
    if name == "PartWeights":
        from indexer.retrieval.search import PartWeights

        return PartWeights
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
