"""A search counts copies once: so many distinct hits as were asked for, while the library has them."""

import random
from itertools import accumulate
from pathlib import Path

import pytest

from indexer.catalogue.catalogue import FILE_NAME, Catalogue
from indexer.catalogue.publish import publish_index
from indexer.index.place import Place
from indexer.retrieval.library import Library
from indexer.retrieval.search import folded
from tests.indexer.cli.test_cli import rspnet_index
from tests.indexer.storage import filled, make_entry, make_vectors


def library_of(folder: Path, contents: list[int]) -> str:
    """A library with a video of each of these contents, which no encoder made; the id of the first one."""
    Place.prepare(folder, None)
    with Catalogue.open(folder / FILE_NAME, write=True) as catalogue:
        filled(catalogue, 0)
        for number, content in enumerate(contents):
            entry = make_entry(f"{number:02d}.mp4", content_hash=f"{content}", label="odd" if number % 2 else "even")
            catalogue.commit_indexed(entry, make_vectors(content))
        publish_index(catalogue, folder)
    return make_entry("00.mp4").id


@pytest.mark.parametrize("seed", range(4))
def test_hits_are_those_of_the_whole_ranking_to_the_last_distinct_one(tmp_path: Path, seed: int) -> None:
    contents = [random.Random(seed).choice(range(1 + 4 * seed)) for _ in range(20)]
    query = library_of(tmp_path, contents)
    with Library.open(tmp_path, device="cpu") as library:
        every = library.search(query, top=20).hits
        assert len(every) == 20 and sum(hit.copy_of != "query" for hit in every) == 20 - contents.count(contents[0])
        heads = {hit.id for hit, _ in folded(every)}
        assert len(heads) == len(set(contents))
        seen = list(accumulate(hit.id in heads for hit in every))
        for top in range(1, 21):
            hits = library.search(query, top=top).hits
            assert hits == every[: seen.index(top) + 1 if top in seen else 20]
            assert len(folded(hits)) == min(top, len(heads))


def test_filters_still_hold(tmp_path: Path) -> None:
    query = library_of(tmp_path, [0, 0, 0, 0, 1, 2])
    with Library.open(tmp_path, device="cpu") as library:
        hits = library.search(query, top=2, label="even").hits
    assert [Path(hit.path).name for hit in hits] == ["00.mp4", "02.mp4", "04.mp4"]
    assert [hit.copy_of for hit in hits] == ["query", "query", None]


def test_the_command_shows_so_many_and_names_their_copies(tmp_path: Path) -> None:
    query = library_of(tmp_path, [0, 0, 0, 1, 1, 2, 3])
    shown = rspnet_index("search", query, "--index", tmp_path, "--top", 3).stdout.splitlines()
    assert [line.split()[0] for line in shown[2:5]] == ["1", "2", "3"]
    best = shown[2].split()[2]
    assert best in {"00.mp4", "01.mp4", "02.mp4"}
    assert {*shown[5].removeprefix("copies of 1: ").rstrip().split(", "), best} == {"00.mp4", "01.mp4", "02.mp4"}
