"""The one writer of a library: it holds the folder's lock and the catalogue, open for writing."""

from types import TracebackType
from typing import Self

from indexer.catalogue.catalogue import Catalogue
from indexer.catalogue.publish import publish_index
from indexer.index.index_types import INDEX_KINDS, IndexChoice
from indexer.index.lock import WriterLock
from indexer.index.place import Place


class LibraryWriter:
    """Nobody else writes while its ``with`` block runs.

    Entering raises LibraryBusy where somebody does, LibraryDamaged, or LibraryError where nothing can be written.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self._lock = WriterLock(place.folder)
        self._kind = next((kind for kind in INDEX_KINDS if kind == place.index_type), None)
        self._anew = False

    def __enter__(self) -> Self:
        self._lock.__enter__()
        try:
            self.catalogue = Catalogue.open(self.place.catalogue_target, write=True)
        except BaseException as error:
            self._lock.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.catalogue.close()
        finally:
            self._lock.__exit__(kind, error, trace)

    def choose_index(self, asked: IndexChoice | None) -> None:
        """The kind of index from now on, kept with the library once it is published so; None leaves what is kept."""
        if asked is not None:
            kind = None if asked == "auto" else asked
            self._anew = kind != self._kind
            self._kind = kind

    def publish(self, *, always: bool = False) -> None:
        """Publish what the catalogue holds now, if that is new (or ``always``). Raises as ``publish_index``."""
        publish_index(self.catalogue, self.place.folder, kind=self._kind, always=always or self._anew)
        if self._anew:
            self.place.keep_index_type(self._kind)
            self._anew = False
