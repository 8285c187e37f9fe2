"""Group commit: in order, all of it, in few transactions; an error reaches the build."""

import random
import signal
import subprocess
import sys
import time

import pytest

from indexer.catalogue.catalogue import FILE_NAME, Catalogue, Outcome
from indexer.catalogue.commits import VIDEOS_PER_COMMIT
from indexer.ingest.committer import Committer
from rspnet_core.errors import LibraryError
from tests.conftest import REPOSITORY
from tests.indexer.storage import filled, make_entry, make_vectors


@pytest.fixture
def catalogue(tmp_path):
    with Catalogue.open(tmp_path / FILE_NAME, write=True) as catalogue:
        filled(catalogue, 0)
        yield catalogue


def outcomes(count):
    return [Outcome(entry=make_entry(f"{number}.mp4"), vectors=make_vectors(number)) for number in range(count)]


def test_what_comes_during_a_commit_shares_the_next_and_all_is_stored_when_the_block_ends(catalogue, monkeypatch):
    sizes, seen, commit = [], [], catalogue.commit

    def slow_commit(batch):
        time.sleep(0.05)
        commit(batch)
        sizes.append(len(batch))

    monkeypatch.setattr(catalogue, "commit", slow_commit)
    given = outcomes(150)
    with Committer(catalogue, seen.extend) as committer:
        for outcome in given:
            committer.put(outcome)
    assert seen == given
    assert sum(sizes) == catalogue.counts().indexed == 150
    assert VIDEOS_PER_COMMIT >= max(sizes) > 10
    assert len(sizes) < 30


def test_what_was_embedded_is_stored_when_a_build_breaks_off(catalogue):
    with pytest.raises(KeyboardInterrupt), Committer(catalogue, lambda stored: None) as committer:
        for outcome in outcomes(20):
            committer.put(outcome)
        raise KeyboardInterrupt
    assert catalogue.counts().indexed == 20


@pytest.mark.timeout(60)
@pytest.mark.parametrize("count", [1, 3 * VIDEOS_PER_COMMIT])
def test_an_error_of_the_catalogue_ends_the_build_and_nothing_is_reported_after_it(catalogue, count):
    seen = []

    def fail(stored):
        seen.extend(stored)
        raise LibraryError("no space left")

    with pytest.raises(LibraryError, match="no space left"), Committer(catalogue, fail) as committer:
        for outcome in outcomes(count):
            committer.put(outcome)
    assert len(seen) == catalogue.counts().indexed <= VIDEOS_PER_COMMIT


COMMIT_FOREVER = """
import sys
from indexer.catalogue.catalogue import Catalogue, Outcome
from indexer.ingest.committer import Committer
from tests.indexer.storage import ENCODER, make_entry, make_vectors
with Catalogue.open(sys.argv[1], write=True) as catalogue:
    catalogue.set_encoder(ENCODER)
    catalogue.root_id("/data")
    def stored(outcomes):
        print(len(outcomes), outcomes[-1].entry.path, flush=True)
    with Committer(catalogue, stored) as committer:
        for number in range(int(sys.argv[2]), 10**9):
            committer.put(Outcome(entry=make_entry(f"{number}.mp4"), vectors=make_vectors(number)))
"""


def test_nothing_that_was_reported_done_is_lost_by_kills(tmp_path):
    draw, done, sizes = random.Random(1), 0, []
    for _ in range(3):
        command = [sys.executable, "-c", COMMIT_FOREVER, tmp_path / FILE_NAME, str(done)]
        with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as writer:
            reported = [writer.stdout.readline() for _ in range(4)]
            time.sleep(draw.uniform(0, 0.2))
            writer.send_signal(signal.SIGKILL)
            reported += writer.stdout.read().splitlines()
        sizes += [int(line.split()[0]) for line in reported]
        done = int(reported[-1].split()[1].removesuffix(".mp4")) + 1
        with Catalogue.open(tmp_path / FILE_NAME, write=False) as catalogue:
            assert catalogue.check(deep=True) == []
            # One more group may have been committed and killed before it could be reported.
            assert done <= catalogue.counts().indexed <= done + VIDEOS_PER_COMMIT
            last = make_entry(f"{done - 1}.mp4").id
            assert (catalogue.video_vector(last) == make_vectors(done - 1).video).all()
    assert max(sizes) > 1
