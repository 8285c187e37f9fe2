from pathlib import Path

import pytest

from indexer.index import place as place_module
from indexer.index.place import Place
from rspnet_core.errors import LibraryError


def test_a_full_disk_leaves_what_was_chosen_and_is_told_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = Place.prepare(tmp_path / "library", None)
    library.keep_backend("torch")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(place_module, "replace_text", full)
    with pytest.raises(LibraryError, match=r"cannot write .*library\.json \(No space left on device\); make room"):
        library.keep_backend("openvino")
    assert Place.find(library.folder).backend == "torch"
