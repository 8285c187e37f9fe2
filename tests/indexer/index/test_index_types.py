"""A generation says which kind of index it holds; one that this version does not know is not guessed at."""

import pytest

from indexer.index.generations import Content
from indexer.index.index_types import INDEX_TYPES, index_type
from indexer.index.vector_index import VectorIndex
from rspnet_core.errors import LibraryDamaged


def test_a_flat_index_is_not_named_so_that_older_versions_read_it() -> None:
    facts = {"content_version": "c", "fingerprint": "f", "count": 1, "dims": 2}
    assert Content(**facts).model_dump() == facts
    assert index_type(Content(**facts).index_type) is VectorIndex
    assert Content(**facts, index_type="graph").model_dump()["index_type"] == "graph"


def test_an_unknown_kind_of_index_is_refused() -> None:
    with pytest.raises(LibraryDamaged, match=f"'graph'.*knows {', '.join(INDEX_TYPES)}"):
        index_type("graph")
