"""Publish again and again, each time with a fault at one more of the file operations that publishing is made of.

    python -m tests.indexer.index.publish_faults FOLDER kill|ENOSPC|EIO EVERY all|changes

publishes all of the catalogue, or what changed: a segment that is merged with the last one and added to the first. It
prints how many operations there are and how the attempts ended; fails when a reader saw something that was never
published, or the next publish did not complete. Each attempt is a fork, whose operations are counted from outside the
code under test, below ``pathlib`` and ``shutil``.
"""

import errno
import io
import os
import shutil
import signal
import sys
from collections import Counter
from itertools import count
from pathlib import Path

from indexer.catalogue.catalogue import FILE_NAME, Catalogue
from indexer.catalogue.publish import publish_index
from indexer.index import generations
from indexer.index.lock import WriterLock
from rspnet_core.errors import LibraryError
from tests.indexer.storage import answers, make_entry, make_library, make_vectors

COUNTED = ("open", "fsync", "mkdir", "rename", "replace", "unlink", "rmdir")
DONE, REFUSED, BROKEN, DONE_DESPITE_IT = 0, 3, 4, 5


def count_operations(fault, at):
    """From now on, the ``at``-th operation on a file of this process is the last, or fails; returns what is done."""
    done = []

    def step(half=lambda: None):
        done.append(at)
        if len(done) == at:
            half()
            if fault == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            raise OSError(getattr(errno, fault), os.strerror(getattr(errno, fault)))

    def counted(operation):
        def call(*arguments, **options):
            step()
            return operation(*arguments, **options)

        return call

    class CountedFile(io.FileIO):
        def write(self, data):
            step(lambda: super(CountedFile, self).write(data[: len(data) // 2]))
            return super().write(data)

    really_open = io.open

    def open_file(file, mode="r", *arguments, **options):
        step()
        return io.BufferedWriter(CountedFile(file, mode)) if "x" in mode else really_open(file, mode, *arguments)

    for name in COUNTED:
        setattr(os, name, counted(getattr(os, name)))
    io.open = open_file
    return done


def publish(folder, always):
    with WriterLock(folder), Catalogue.open(folder / FILE_NAME, write=True) as catalogue:
        publish_index(catalogue, folder, always=always)


def attempt(folder, fault, at, always):
    """How a publish with this fault ended: an exit code, or minus the signal that killed it."""
    child = os.fork()
    if child == 0:
        code = BROKEN
        try:
            # Opened before the count begins: what is counted is publishing.
            with WriterLock(folder), Catalogue.open(folder / FILE_NAME, write=True) as catalogue:
                done = count_operations(fault, at)
                publish_index(catalogue, folder, always=always)
            code = DONE if len(done) < at else DONE_DESPITE_IT
        except LibraryError as error:
            code = BROKEN if "\n" in str(error) else REFUSED
        except BaseException as error:
            print(f"operation {at}: {type(error).__name__}: {error}", file=sys.stderr)
        finally:
            os._exit(code)
    status = os.waitpid(child, 0)[1]
    return os.waitstatus_to_exitcode(status)


def shown(folder, ids):
    got = answers(folder, ids)
    return got.pop("info")["generation"], got


def segments(folder):
    with generations.open_current(folder) as generation:
        return [segment.generation for segment in generation.segments]


def main(folder, fault, every, mode):
    before, work, always = folder / "before", folder / "work", mode == "all"
    ids = make_library(before, 6)
    with Catalogue.open(before / FILE_NAME, write=True) as catalogue:
        catalogue.commit_indexed(make_entry("Class0/added.mp4"), make_vectors(69))
    publish(before, always)
    assert segments(before) == ([2] if always else [1, 2])
    old = shown(before, ids)
    with Catalogue.open(before / FILE_NAME, write=True) as catalogue:
        catalogue.commit_indexed(make_entry("Class0/0.mp4", label="other"), make_vectors(70))
        catalogue.commit_indexed(make_entry("Class1/new.mp4", label="Class1"), make_vectors(71))
    ends, generations_seen = Counter(), Counter()
    for at in count(1):
        if at % every and at > 1:
            continue
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(before, work)
        end = attempt(work, fault, at, always)
        ends[end] += 1
        assert end != BROKEN, f"operation {at} ended with a traceback"
        assert generations.verify(work) == []
        number, got = shown(work, ids)
        generations_seen[number] += 1
        if number == old[0]:
            assert got == old[1], f"operation {at}: another answer"
            assert end not in (DONE, DONE_DESPITE_IT)
        publish(work, always)
        after = shown(work, ids)
        assert after[0] in (3, 4)
        if number == 3:
            assert got == after[1], f"operation {at}: another answer"
        assert generations.verify(work) == []
        kept = {int(path.name) for path in (work / "generations").iterdir()}
        # Where the disk did not let the current generation be read, all is published.
        whole = always or (fault != "kill" and len(segments(work)) == 1)
        assert segments(work) == ([after[0]] if whole else [1, after[0]])
        if not (end == DONE_DESPITE_IT and not always):  # then the second found nothing to publish, nor to remove
            assert kept == {2, *segments(work)} or (always and len(kept) == 2), kept
        assert not (work / "CURRENT.tmp").exists()
        if end == DONE:
            break
    print(f"{fault}, {mode}: {at - 1} operations, ends {dict(ends)}, generations {dict(generations_seen)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4])
