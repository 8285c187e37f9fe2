"""Where a library lies: its folder, its catalogue's address and its own copy of the encoder."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rspnet_core.atomic import replace_text
from rspnet_core.errors import InvalidSetting, LibraryDamaged, LibraryError, LibraryNotFound

FOLDER_NAME = ".rspnet"
SETTINGS_NAME = "library.json"


@dataclass(frozen=True)
class Place:
    """A library's folder; everything in it but the catalogue and the encoder can be made again."""

    folder: Path
    catalogue: str | None = None
    """Address of a PostgreSQL catalogue; None is the SQLite file in the folder."""
    backend: str | None = None
    """What encodes its videos; None where nothing was chosen yet. Perhaps a name that this version does not know."""
    index_type: str | None = None
    """What its index shall be; None where its size decides. Perhaps a name that this version does not know."""
    cache: Path | None = None
    """Folder of the reduced copies that its clips are cut from; None where they are cut from the videos."""

    @property
    def catalogue_target(self) -> str | Path:
        """What :meth:`indexer.catalogue.catalogue.Catalogue.open` takes."""
        return self.catalogue or self.folder / "catalogue.sqlite"

    def encoder_path(self, fingerprint: str) -> Path:
        """The library's own copy of the weights, so that it can be searched wherever the original went."""
        return self.folder / "encoder" / f"{fingerprint}.safetensors"

    def int8_path(self, fingerprint: str) -> Path:
        """What that encoder computes with in INT8, beside its weights; there where it was calibrated."""
        return self.folder / "encoder" / f"{fingerprint}.int8.json"

    @classmethod
    def find(cls, path: str | Path) -> "Place":
        """The library at ``path``, or in the data folder ``path``; LibraryNotFound if there is none."""
        given = Path(path)
        for folder in (given, given / FOLDER_NAME):
            if (folder / SETTINGS_NAME).is_file():
                settings = _read_settings(folder / SETTINGS_NAME)
                return cls._of(folder, settings)
        raise LibraryNotFound(
            f"no library at {given}: it has no {SETTINGS_NAME}; make one with `rspnet-index build DATA`"
        )

    @classmethod
    def prepare(cls, folder: Path, catalogue: str | None) -> "Place":
        """Open ``folder`` for writing, made if it is not there; a catalogue's address is kept for later commands."""
        if catalogue is not None and (urlsplit(catalogue).password or "password=" in catalogue):
            raise InvalidSetting(
                "--catalogue holds a password, and the address is stored in the library; leave the password out and "
                "give it as PGPASSWORD or in ~/.pgpass"
            )
        path = folder / SETTINGS_NAME
        try:
            folder.mkdir(parents=True, exist_ok=True)
            is_new = not path.exists()
            settings = {"format": 1, "catalogue": catalogue} if is_new else _read_settings(path)
            place = cls._of(folder, settings)
            if is_new:
                if any(other.name != "writer.lock" for other in folder.iterdir()):
                    raise InvalidSetting(
                        f"{folder} holds other files and no library; give an empty or new folder with --index"
                    )
                replace_text(path, json.dumps(settings) + "\n")
        except OSError as error:
            raise LibraryError(
                f"cannot write the library to {folder} ({error.strerror}); choose a writable folder with --index"
            ) from error
        if catalogue is not None and place.catalogue != catalogue:
            raise InvalidSetting(
                f"this library's catalogue is {place.catalogue or 'its SQLite file'}, got {catalogue}; "
                "leave --catalogue out, or choose another --index"
            )
        return place

    @classmethod
    def _of(cls, folder: Path, settings: dict[str, Any]) -> "Place":
        catalogue, backend, index_type, cache = map(settings.get, ("catalogue", "backend", "index_type", "cache"))
        return cls(folder.resolve(), catalogue, backend, index_type, Path(cache) if isinstance(cache, str) else None)

    def keep_backend(self, backend: str) -> None:
        """Later builds, and the app, find it in ``backend`` when they open the library; the caller holds its lock."""
        if backend != self.backend:
            self._keep({"backend": backend})

    def keep_index_type(self, index_type: str | None) -> None:
        """Later builds find it in ``index_type`` when they open the library; the caller holds its lock."""
        if index_type != self.index_type:
            self._keep({"index_type": index_type})

    def keep_cache(self, cache: Path) -> None:
        """Later builds find it in ``cache`` when they open the library; the caller holds its lock."""
        if cache != self.cache:
            self._keep({"cache": str(cache)})

    def _keep(self, changed: dict[str, Any]) -> None:
        settings = _read_settings(self.folder / SETTINGS_NAME) | changed
        write_text(self.folder / SETTINGS_NAME, json.dumps(settings) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a file of a library, whole or not at all. Raises LibraryError where the disk refuses."""
    try:
        replace_text(path, text)
    except OSError as error:
        raise LibraryError(f"cannot write {path} ({error.strerror}); make room, or check the permissions") from error


def _read_settings(path: Path) -> dict[str, Any]:
    try:
        settings = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise LibraryDamaged(f"{path} cannot be read ({error}); restore it, or build into another --index") from error
    if not isinstance(settings, dict) or settings.get("format") != 1:
        raise LibraryDamaged(f"{path} is not of format 1; use the version of rspnet that wrote it")
    return settings
