"""Looking after a library: verify, repair, remove. The catalogue is the truth, the FAISS files follow from it."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from indexer.catalogue.agreement import disagreement
from indexer.catalogue.catalogue import Catalogue
from indexer.catalogue.publish import is_current
from indexer.index import generations
from indexer.index.place import Place
from indexer.ingest.simulate import SIMULATED
from indexer.ingest.writer import LibraryWriter
from indexer.retrieval.filters import folders_of, no_such
from rspnet_core.errors import (
    InvalidSetting,
    LibraryDamaged,
    LibraryError,
    LibraryNotFound,
    QueryNotFound,
    WeightsError,
)
from rspnet_core.text import printable


@dataclass
class Verdict:
    """What ``verify`` found; sound when there are no problems. Notes are states that the next build settles."""

    videos: int = 0
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The document that ``rspnet-index verify --json`` prints."""
        return {"sound": not self.problems} | asdict(self)


def verify_library(path: Path, *, deep: bool = False) -> Verdict:
    """Check catalogue, published files and encoder; ``deep`` reads every vector instead of a sample."""
    place = Place.find(path)
    verdict = Verdict()
    try:
        with Catalogue.open(place.catalogue_target, write=False) as catalogue:
            verdict.problems += catalogue.check(deep=deep)
            if not verdict.problems:
                _verify_against_catalogue(place, catalogue, verdict, deep=deep)
    except LibraryNotFound:
        verdict.notes.append("nothing was indexed yet: run the build again")
    except LibraryError as error:
        verdict.problems.append(str(error))
    return verdict


def _verify_against_catalogue(place: Place, catalogue: Catalogue, verdict: Verdict, *, deep: bool) -> None:
    from indexer.ingest.calibration import kept_calibration
    from rspnet_core.weights.checkpoint import check_checkpoint

    verdict.videos = catalogue.counts().indexed
    verdict.notes += [f"{printable(video.path)}: {video.reason}" for video in catalogue.partial()]
    record = catalogue.encoder()
    if record is None:
        verdict.notes.append("no encoder yet: run the build again")
        return
    if record.description.get("backbone") == SIMULATED:
        verdict.notes.append("the vectors are simulated; there is no encoder")
    else:
        try:
            check_checkpoint(place.encoder_path(record.fingerprint))
            kept_calibration(place, record.fingerprint)
        except (WeightsError, LibraryDamaged) as error:
            verdict.problems.append(f"the library's encoder: {error}")
    if not (place.folder / generations.CURRENT).exists():
        verdict.notes.append(f"{verdict.videos} videos are stored, none published yet: run the build again, or repair")
        return
    problems = generations.verify(place.folder)
    verdict.problems += problems
    if problems:
        return
    if not is_current(place.folder, catalogue.content_version(), record.fingerprint):
        verdict.notes.append("the published index is older than the catalogue: run the build again, or repair")
    elif deep and (other := disagreement(catalogue, place.folder, place.catalogue_target)):
        verdict.problems.append(f"the published index has other {other} than the catalogue; run `rspnet-index repair`")


def repair_library(path: Path) -> list[str]:
    """Drop videos whose vectors are damaged and publish the index anew; returns their ids.

    Raises LibraryDamaged when the catalogue itself cannot be read.
    """
    with LibraryWriter(Place.find(path)) as library:
        damaged = sorted(library.catalogue.damaged(deep=True))
        library.catalogue.drop(damaged)
        library.publish(always=True)
    return damaged


def remove_videos(path: Path, names: list[str], *, everything: bool = False) -> int:
    """Take videos out by id, by path or by the folder they lie in, and publish; returns how many.

    Raises QueryNotFound when a name fits no video; nothing is removed then.
    """
    if bool(names) == everything:
        raise InvalidSetting("give ids or paths to remove, or --all for every video; not both")
    with LibraryWriter(Place.find(path)) as library:
        rows = list(library.catalogue.videos())
        chosen: set[str] = set()
        for name in names:
            below = name.rstrip("/") + "/"
            found = {row.id for row in rows if name in {row.id, row.path} or row.path.startswith(below)}
            if not found:
                paths = {row.path for row in rows}
                told = no_such("video or folder", name, paths | folders_of(paths), "the library is empty")
                raise QueryNotFound(f"{told}; paths are relative to the data folder")
            chosen |= found
        library.catalogue.drop([row.id for row in rows if everything or row.id in chosen])
        library.publish()
    return len(rows) if everything else len(chosen)
