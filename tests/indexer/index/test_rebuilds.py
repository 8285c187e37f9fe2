"""Searches of other processes go on while a library is rebuilt; each answers as one published generation does."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace

import pytest

from indexer.catalogue.catalogue import FILE_NAME, Catalogue
from indexer.catalogue.publish import publish_index
from indexer.index.generations import open_current
from indexer.index.lock import WriterLock
from indexer.retrieval.library import Library
from indexer.retrieval.maintenance import remove_videos, repair_library, verify_library
from rspnet_core.errors import LibraryOutdated
from tests.conftest import REPOSITORY
from tests.indexer.storage import make_entry, make_library, make_vectors, search_twice

PUBLISHED_LATE_SECONDS = 0.05

SEARCH = """
import json, os, sys, time
from pathlib import Path
from indexer.index.generations import open_current
from indexer.retrieval.library import Library
from tests.indexer.storage import search_twice

folder, stop, ids = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[4:]
searchers, pause_seconds = json.loads(sys.argv[3])

def current():
    with open_current(folder) as generation:
        return generation.number

def search(held_for, answers):
    number = 0
    while not stop.exists():
        opened = current()
        with Library.open(folder, device="cpu") as library:
            for _ in range(held_for):
                started = time.monotonic()
                try:
                    found = search_twice(library, ids[number % len(ids)])
                except Exception as error:
                    found = [f"{type(error).__name__}: {error}"] * 2
                print(json.dumps([number % len(ids), opened, current(), found]), file=answers, flush=True)
                if stop.exists():
                    break
                number += 1
                time.sleep(max(0, pause_seconds - (time.monotonic() - started)))

children = []
for held_for, output in searchers:
    children.append(os.fork())
    if not children[-1]:
        with open(output, "w") as answers:
            search(held_for, answers)
        os._exit(0)
sys.exit(any(os.waitpid(child, 0)[1] for child in children))
"""


class Searchers:
    """Processes that search a library of these videos until they are stopped; forked from one, they start soon."""

    def __init__(self, folder, ids, *, held_for, per_second):
        self._stop = folder.with_name("stop")
        self._outputs = [folder.with_name(f"answers{number}") for number in range(len(held_for))]
        pause = 2 * len(held_for) / per_second
        searchers = list(zip(held_for, map(str, self._outputs), strict=True))
        command = [sys.executable, "-c", SEARCH, folder, self._stop, json.dumps([searchers, pause]), *ids]
        self._parent = subprocess.Popen(list(map(str, command)), cwd=REPOSITORY, start_new_session=True)
        deadline = time.monotonic() + 60
        while not all(map(self._has_begun, self._outputs)) and time.monotonic() < deadline:
            time.sleep(0.05)

    @staticmethod
    def _has_begun(output):
        return output.exists() and output.stat().st_size > 0

    def __enter__(self):
        return self

    def __exit__(self, *error):
        with suppress(ProcessLookupError):  # they have ended
            os.killpg(self._parent.pid, signal.SIGKILL)
        self._parent.wait()

    def answers(self):
        """Stop; per pair of searches its query, the generations current before and after it, and its answers."""
        self._stop.touch()
        assert self._parent.wait(timeout=60) == 0
        return [json.loads(line) for output in self._outputs for line in output.read_text().splitlines()]


def rebuild(folder, number):
    """Change, drop and add videos, in the ways that commands do; what is committed is published a little later."""
    if number % 5 == 4:
        repair_library(folder)
    elif number % 5 == 3:
        remove_videos(folder, [f"Class{number % 2}"])
    else:
        with WriterLock(folder), Catalogue.open(folder / FILE_NAME, write=True) as catalogue:
            for place in range(number % 3, 12, 2):
                entry = make_entry(f"Class{place % 2}/{place}.mp4", label=f"Class{place % 2}", splits={1: "test"})
                catalogue.commit_indexed(entry, make_vectors(1000 * number + place, num_clips=3 + place % 2))
            moved = make_entry("Queries/0.mp4", label=f"Class{number % 2}", splits={1: "train"})
            catalogue.update_entries([replace(moved, modified_ns=number)])
            catalogue.drop([make_entry(f"Class{place % 2}/{place}.mp4").id for place in (number % 4, 5 + number % 4)])
            time.sleep(PUBLISHED_LATE_SECONDS)
            publish_index(catalogue, folder)


def make_library_with_queries(folder):
    """A library and the ids of two videos that no rebuild drops; one of them is replaced at times."""
    make_library(folder, 12)
    with Catalogue.open(folder / FILE_NAME, write=True) as catalogue:
        queries = [make_entry(f"Queries/{number}.mp4") for number in range(2)]
        for number, entry in enumerate(queries):
            catalogue.commit_indexed(entry, make_vectors(100 + number))
        publish_index(catalogue, folder)
    return [entry.id for entry in queries]


@pytest.mark.parametrize(
    ("rebuilds", "per_second", "seconds"), [(3, 50, 0.25), pytest.param(20, 60, 1.0, marks=pytest.mark.slow)]
)
def test_no_search_fails_or_mixes_generations_while_a_library_is_rebuilt(tmp_path, rebuilds, per_second, seconds):
    folder = tmp_path / "index"
    ids = make_library_with_queries(folder)
    published = {}

    def note():
        with open_current(folder) as generation, Library.open(folder, device="cpu") as library:
            published[generation.number] = [search_twice(library, key) for key in ids]

    note()
    with Searchers(folder, ids, held_for=(1, 1, 25), per_second=per_second) as searchers:
        started = time.monotonic()
        for number in range(rebuilds):
            rebuild(folder, number)
            note()
            time.sleep(seconds)
        seconds = time.monotonic() - started
        found = searchers.answers()
    assert len(published) == rebuilds + 1
    for query, before, after, answers in found:
        for place, answer in enumerate(answers):
            assert answer in [published[number][query][place] for number in range(before, after + 1)], answer
    print(f"{rebuilds} rebuilds, {2 * len(found)} searches in {seconds:.1f} s")
    assert len(found) > 3 * rebuilds
    with Catalogue.open(folder / FILE_NAME, write=False) as catalogue:
        assert catalogue.check(deep=True) == []


def test_between_commit_and_publish_a_reader_sees_what_was_published(tmp_path):
    ids = make_library(tmp_path / "index", 4)
    with Library.open(tmp_path / "index", device="cpu") as library:
        before = search_twice(library, ids[0])
    with Catalogue.open(tmp_path / "index" / FILE_NAME, write=True) as catalogue:
        catalogue.drop(ids[1:2])
        catalogue.commit_indexed(make_entry("Class0/2.mp4", label="other"), make_vectors(77, num_clips=1))
        catalogue.commit_failed(make_entry("Class1/3.mp4"), "gone bad")
        with Library.open(tmp_path / "index", device="cpu") as library:
            assert search_twice(library, ids[0]) == before
            assert library.info()["videos"] == {"indexed": 4, "failed": 0, "total": 4, "partial": 0}
            assert not library.info()["up_to_date"]


def test_a_held_library_answers_as_the_newest_when_its_own_videos_are_kept_no_more(tmp_path):
    folder = tmp_path / "index"
    ids = make_library(folder, 4)
    with Library.open(folder, device="cpu") as held, Catalogue.open(folder / FILE_NAME, write=True) as catalogue:
        first = search_twice(held, ids[0])
        catalogue.drop(ids[1:2])
        publish_index(catalogue, folder)
        assert search_twice(held, ids[0]) == first
        catalogue.drop(ids[2:3])
        publish_index(catalogue, folder)
        with Library.open(folder, device="cpu") as newest:
            assert search_twice(held, ids[0])[0] == search_twice(newest, ids[0])[0] != first[0]
        with pytest.raises(LibraryOutdated, match="open it again"):
            held.catalogue.clip_vectors(ids[1])
        assert catalogue.check(deep=True) == []


def test_what_left_is_kept_for_two_generations_and_no_longer(tmp_path):
    folder = tmp_path / "index"
    ids = make_library(folder, 4)
    with Catalogue.open(folder / FILE_NAME, write=True) as catalogue:

        def kept():
            with catalogue.reading() as connection:
                return connection.exec_driver_sql("SELECT count(*) FROM retired").scalar()

        catalogue.drop(ids[:2])
        assert kept() == 2
        for expected in (2, 0):
            publish_index(catalogue, folder, always=True)
            assert kept() == expected
    assert [problem for problem in verify_library(folder).problems if "encoder" not in problem] == []
