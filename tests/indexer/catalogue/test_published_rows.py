"""Rows of one segment are read where they lie, those of several laid over one another; what is shown is the same."""

import os
import tracemalloc
from contextlib import closing

import pytest

from indexer.catalogue.catalogue import FILE_NAME, Catalogue
from indexer.catalogue.publish import publish_index
from indexer.catalogue.published import PublishedCatalogue
from indexer.index import generations
from indexer.ingest.simulate import simulate_library
from indexer.retrieval.library import Library
from rspnet_core.errors import LibraryDamaged
from tests.indexer.storage import make_library


def test_opening_a_library_does_not_read_its_rows_into_memory(tmp_path):
    simulate_library(tmp_path, 3000)
    rows_bytes = next(tmp_path.glob("generations/*/rows.sqlite")).stat().st_size
    assert rows_bytes > 1_000_000
    Library.open(tmp_path, device="cpu").close()  # what is imported by then
    tracemalloc.start()
    with Library.open(tmp_path, device="cpu") as library:
        assert library.info()["videos"]["indexed"] == 3000
        assert tracemalloc.get_traced_memory()[1] < rows_bytes / 2
    tracemalloc.stop()


@pytest.mark.parametrize("name", ["what? 100%#1 & 2", os.fsdecode(b"caf\xe9"), "a\nline"])
def test_a_folder_may_have_any_name(tmp_path, name):
    ids = make_library(tmp_path / name)
    with Library.open(tmp_path / name, device="cpu") as library:
        assert {video.id for video in library.catalogue.videos()} == set(ids)


def test_a_generation_is_shown_whose_folder_went_before_its_rows_were_opened(tmp_path):
    ids = make_library(tmp_path)
    with generations.open_current(tmp_path) as generation:
        with Catalogue.open(tmp_path / FILE_NAME, write=True) as catalogue:
            for _ in range(2):
                publish_index(catalogue, tmp_path, always=True)
        assert not generation.path.exists()
        with closing(PublishedCatalogue(generation, tmp_path / FILE_NAME)) as published:
            assert {video.id for video in published.videos()} == set(ids)


def test_a_generation_whose_folder_goes_while_it_is_shown_stays_as_it_was(tmp_path):
    ids = make_library(tmp_path)
    with Library.open(tmp_path, device="cpu") as library:
        with Catalogue.open(tmp_path / FILE_NAME, write=True) as catalogue:
            catalogue.drop([ids[0]])
            for _ in range(2):
                publish_index(catalogue, tmp_path, always=True)
        assert not (tmp_path / "generations" / "000001").exists()
        assert {video.id for video in library.catalogue.videos()} == set(ids)


def test_nothing_is_written_beside_the_rows_that_are_read(tmp_path):
    make_library(tmp_path)
    before = sorted(path.name for path in tmp_path.rglob("*"))
    with Library.open(tmp_path, device="cpu") as library:
        assert len(list(library.catalogue.videos())) == 5
        assert sorted(path.name for path in tmp_path.rglob("*")) == before


def test_rows_that_are_no_database_are_damaged(tmp_path):
    make_library(tmp_path)
    with generations.open_current(tmp_path) as generation:
        index, content = generation.verified("index.faiss").read(), generation.manifest.content
    writers = {"index.faiss": lambda sink: sink.write(index), "rows.sqlite": lambda sink: sink.write(b"none" * 5000)}
    generations.publish(tmp_path, writers, content)
    with pytest.raises(LibraryDamaged, match="repair"):
        Library.open(tmp_path, device="cpu")


@pytest.mark.parametrize("left", [b"", b"none" * 5000])
def test_rows_that_are_overwritten_while_they_are_shown_are_damaged(tmp_path, left):
    make_library(tmp_path)
    with Library.open(tmp_path, device="cpu") as library:
        next(tmp_path.glob("generations/*/rows.sqlite")).write_bytes(left)
        with pytest.raises(LibraryDamaged, match=r"rows\.sqlite is damaged.*repair"):
            list(library.catalogue.videos())
