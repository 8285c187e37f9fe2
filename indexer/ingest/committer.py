"""Group commit beside the encoder: a thread stores, in one transaction, all that came while it stored what was before.

At a low rate each video is committed at once; at a high one up to ``VIDEOS_PER_COMMIT`` share the disk's flush, so that
what a kill can lose is what was handed over during one commit.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, Queue
from threading import Thread
from types import TracebackType
from typing import Self

from indexer.catalogue.catalogue import Catalogue, Outcome
from indexer.catalogue.commits import VIDEOS_PER_COMMIT

Stored = Callable[[Sequence[Outcome]], None]
"""Called, in the thread that commits, when these are on disk."""


class Committer:
    """Stores outcomes in their order; when the ``with`` block ends, all of them are on disk.

    An error of the catalogue is raised by the next ``put``, or at the block's end.
    """

    def __init__(self, catalogue: Catalogue, stored: Stored) -> None:
        self._catalogue = catalogue
        self._stored = stored
        self._waiting: Queue[Outcome | None] = Queue(VIDEOS_PER_COMMIT)
        self._error: BaseException | None = None
        self._thread = Thread(target=self._run, name="commits", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._waiting.put(None)
        while self._thread.is_alive():
            with suppress(KeyboardInterrupt):  # a second one: what was encoded is stored all the same
                self._thread.join()
        if error is None:
            self._raise()

    def put(self, outcome: Outcome) -> None:
        """Hand over; waits while ``VIDEOS_PER_COMMIT`` are waiting already."""
        self._raise()
        self._waiting.put(outcome)

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        is_over = False
        while not is_over:
            batch = self._batch()
            is_over = batch[-1] is None
            self._store([outcome for outcome in batch if outcome is not None])

    def _batch(self) -> list[Outcome | None]:
        """All that waits, at least one; None is the end."""
        batch = [self._waiting.get()]
        with suppress(Empty):
            while batch[-1] is not None and len(batch) < VIDEOS_PER_COMMIT:
                batch.append(self._waiting.get_nowait())
        return batch

    def _store(self, outcomes: list[Outcome]) -> None:
        """Nothing after an error: the queue is emptied, so that nobody waits for it."""
        if not outcomes or self._error is not None:
            return
        try:
            self._catalogue.commit(outcomes)
            self._stored(outcomes)
        except BaseException as error:
            self._error = error
