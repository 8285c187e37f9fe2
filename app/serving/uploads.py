"""Videos that visitors add to the library: into DATA/uploads under harmless names."""

import re
import shutil
from pathlib import Path

from app.serving.visitors import Visitor
from rspnet_core.atomic import replaced_when_complete
from rspnet_core.errors import LibraryError, VideoError
from rspnet_core.text import printable
from rspnet_core.video.datasets.dataset import UPLOADS
from rspnet_core.video.reading.sniff import container_of

_LONGEST_STEM = 80


def safe_name(name: str) -> str:
    """A file name of letters, digits, ``.``, ``_`` and ``-`` that no shell, page or file system reads in a new way."""
    path = Path(name.replace("\\", "/").rpartition("/")[2])
    suffix = path.suffix if re.fullmatch(r"\.[A-Za-z0-9]{1,5}", path.suffix) else ".video"
    stem = re.sub(r"[^\w.-]+", "_", path.stem, flags=re.ASCII).strip("._-")[:_LONGEST_STEM]
    return f"{stem or 'video'}{suffix.lower()}"


def check_upload(upload: Path) -> None:
    """Raise VideoError for a file that is no video by its first bytes."""
    try:
        container_of(upload)
    except VideoError as error:
        raise VideoError(f"{printable(upload.name)[:120]}: {error}") from error


def keep_upload(visitor: Visitor, upload: Path, data: Path) -> Path:
    """Copy an uploaded file into ``data/uploads`` under a name that is free there; returns where it is now.

    Raises NotAllowed for a viewer, VideoError when it is no video file, LibraryError when it cannot be written.
    """
    visitor.must_be_editor()
    check_upload(upload)
    folder = data / UPLOADS
    try:
        folder.mkdir(exist_ok=True)
        target = _free(folder, safe_name(upload.name))
        with replaced_when_complete(target) as temporary:
            shutil.copyfile(upload, temporary)
    except OSError as error:
        raise LibraryError(
            f"cannot write to {folder} ({error.strerror}); the videos' folder must be writable"
        ) from error
    return target


def _free(folder: Path, name: str) -> Path:
    """The first of name, name-2, name-3, ... that nothing has."""
    path = folder / name
    number = 1
    while path.exists() or path.is_symlink():
        number += 1
        path = folder / f"{Path(name).stem}-{number}{Path(name).suffix}"
    return path
