"""Add videos from the page: one build at a time in a thread of its own, watched and stopped from any other."""

import logging
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from app.serving.visitors import Visitor
from indexer.index.place import Place
from indexer.ingest.report import BuildReport, Failure
from rspnet_core.errors import InvalidSetting, LibraryBusy, RspnetError
from rspnet_core.text import printable
from rspnet_core.video.datasets.dataset import Dataset

if TYPE_CHECKING:
    from indexer.ingest.encoder import ClipEncoder

log = logging.getLogger("rspnet.app")

Work = Mapping[Path, Collection[str] | None]
"""Data folder -> paths of files in it, None for all of them."""

Phase = Literal["idle", "running", "stopping", "done", "stopped", "failed"]


@dataclass(frozen=True)
class BuildStatus:
    """How far the latest build is."""

    phase: Phase = "idle"
    total: int = 0
    done: int = 0
    indexed: int = 0
    failed: list[Failure] = field(default_factory=list)
    message: str = ""
    """Why it failed, for people."""

    @property
    def is_running(self) -> bool:
        """Whether another build has to wait."""
        return self.phase in {"running", "stopping"}


class Builder:
    """Brings the library up to date with a data folder; an interrupted build goes on where it stopped."""

    def __init__(
        self,
        place: Place,
        roots: Callable[[], list[Path]],
        published: Callable[[], object],
        *,
        device: str,
        backbone: str | None,
        folders: tuple[Path, ...],
        split_lists: Path | None,
    ) -> None:
        """``roots`` gives the library's data folders, ``published`` is called when a build ends."""
        self._place = place
        self._roots = roots
        self._published = published
        self._device = device
        self._backbone = backbone
        self._folders = tuple(folder.resolve() for folder in folders)
        self._split_lists = split_lists
        self._status = self._earlier = BuildStatus()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def status(self) -> BuildStatus:
        """The state of things now."""
        return self._status

    @property
    def allowed_folders(self) -> list[Path]:
        """Folders whose videos, and those of folders below them, may be added."""
        return list(dict.fromkeys([*(root.resolve() for root in self._roots()), *self._folders]))

    def data_folder(self, visitor: Visitor, folder: str) -> Path:
        """The data folder to build for a folder that a visitor typed.

        A folder below one of the library's own means that one: no video is indexed twice. Raises InvalidSetting for a
        folder that is not there or not allowed; which of both is not told. Raises NotAllowed for a viewer.
        """
        visitor.must_be_editor()
        wanted = Path(folder.strip()).expanduser()
        resolved = wanted.resolve() if wanted.is_absolute() else None
        for root in (root.resolve() for root in self._roots()):
            if resolved and resolved.is_relative_to(root) and resolved.is_dir():
                return root
            if resolved and root.is_relative_to(resolved):
                resolved = None
        allowed = any(resolved.is_relative_to(given) for given in self._folders) if resolved else False
        if resolved is None or not allowed or not resolved.is_dir():
            choices = ", ".join(printable(str(path)) for path in self.allowed_folders) or "none"
            raise InvalidSetting(
                f"this folder cannot be added; allowed are folders in: {choices}; "
                "others are allowed with `rspnet-app serve --folder`"
            )
        return resolved

    def start(self, visitor: Visitor, data: Path, only: Collection[str] | None = None) -> None:
        """Index ``data``, or ``only`` some files of it, in the background. Raises as :meth:`start_all`."""
        self.start_all(visitor, {data: only})

    def start_all(self, visitor: Visitor, work: Work) -> None:
        """Index what is named of each folder, one after the other, in the background.

        Raises NotAllowed for a viewer, LibraryBusy while a build is running.
        """
        visitor.must_be_editor()
        with self._lock:
            if self._status.is_running:
                raise LibraryBusy("videos are being added already; wait for it to finish or stop it")
            self._stop.clear()
            self._status = self._earlier = BuildStatus("running")
            self._thread = threading.Thread(target=self._run, args=(work,), name="build", daemon=True)
            self._thread.start()

    def stop(self, visitor: Visitor) -> None:
        """Ask the build to end after the video in hand; what it has done stays. Raises NotAllowed for a viewer."""
        visitor.must_be_editor()
        self._end()

    def _end(self) -> None:
        with self._lock:
            if self._status.phase == "running":
                self._status = replace(self._status, phase="stopping")
                self._stop.set()

    def wait(self, timeout_seconds: float) -> BuildStatus:
        """Wait for the build to end; the state then."""
        if self._thread is not None:
            self._thread.join(timeout_seconds)
        return self._status

    def close(self) -> None:
        """Stop and wait a while."""
        self._end()
        self.wait(30)

    def _run(self, work: Work) -> None:
        try:
            from indexer.ingest.build import build_library  # PyTorch: two seconds, for those who add videos alone

            for data, only in work.items():
                report = build_library(
                    data,
                    only=only,
                    index=self._place.folder,
                    split_lists=self._split_lists,
                    device=self._device,
                    trusted=self._backbone,
                    started=self._begin,
                    progress=self._advance,
                )
                self._update(report)
                self._earlier = self._status
                if report.interrupted:
                    raise KeyboardInterrupt
            self._status = replace(self._status, phase="done")
        except RspnetError as error:
            self._fail(str(error))
        except KeyboardInterrupt:  # what was done is kept
            self._status = replace(self._status, phase="stopped")
        except Exception:
            log.exception("adding videos failed")
            self._fail("internal error; the server's log says more")
        finally:
            self._published()

    def _begin(self, dataset: Dataset, encoder: "ClipEncoder") -> None:
        """The folder is scanned and the encoder loaded."""
        if self._stop.is_set():
            raise KeyboardInterrupt
        self._status = replace(self._status, total=self._earlier.total + len(dataset.files))

    def _advance(self, report: BuildReport) -> None:
        self._update(report)
        if self._stop.is_set():
            raise KeyboardInterrupt  # what `ingest` takes for a wish to stop

    def _update(self, report: BuildReport) -> None:
        earlier = self._earlier
        self._status = replace(
            self._status,
            total=earlier.total + report.total,
            done=earlier.done + report.skipped + report.reused + report.indexed + len(report.failed),
            indexed=earlier.indexed + report.indexed + report.reused,
            failed=[*earlier.failed, *report.failed],
        )

    def _fail(self, message: str) -> None:
        self._status = replace(self._status, phase="failed", message=message)
