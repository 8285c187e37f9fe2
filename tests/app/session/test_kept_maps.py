"""UMAP's points are kept: made once for a library, and again where a file is not what was written."""

from pathlib import Path

import numpy as np
import pytest

from app.session import services as of_services
from app.session.kept_maps import KeptMaps
from app.session.projection import Projection
from app.session.services import Services

POINTS = np.arange(8, dtype=np.float32).reshape(4, 2)


def fail() -> np.ndarray:
    raise AssertionError("made again")


def test_points_are_made_once_for_each_generation_and_space(tmp_path: Path) -> None:
    maps = KeptMaps(tmp_path / "maps")
    assert maps.read("one", "motion", 4) is None
    assert np.array_equal(maps.get("one", "motion", 4, lambda: POINTS), POINTS)
    assert np.array_equal(maps.get("one", "motion", 4, fail), POINTS)
    assert np.array_equal(KeptMaps(tmp_path / "maps").get("one", "motion", 4, fail), POINTS)
    for other in (("two", "motion", 4), ("one", "backbone", 4), ("one", "motion", 5)):
        assert maps.read(*other) is None
    maps.get("one", "backbone", 4, lambda: POINTS)
    assert len(list((tmp_path / "maps").iterdir())) == 2
    maps.get("two", "motion", 4, lambda: POINTS)
    assert len(list((tmp_path / "maps").iterdir())) == 1  # those of the generation before have gone


@pytest.mark.parametrize("damaged", [b"", b"cut", b"nothing of ours" * 9, b"x" * 64, None])
def test_a_damaged_file_is_made_anew(tmp_path: Path, damaged: bytes | None) -> None:
    maps = KeptMaps(tmp_path)
    maps.get("one", "motion", 4, lambda: POINTS)
    (path,) = tmp_path.iterdir()
    content = bytearray(path.read_bytes())
    content[-3] ^= 1  # one bit
    path.write_bytes(content if damaged is None else damaged)
    assert maps.read("one", "motion", 4) is None
    assert np.array_equal(maps.get("one", "motion", 4, lambda: POINTS), POINTS)
    assert np.array_equal(maps.get("one", "motion", 4, fail), POINTS)


def test_where_nothing_can_be_written_the_points_come_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "maps").write_text("a file, no folder")
    maps = KeptMaps(tmp_path / "maps")
    assert np.array_equal(maps.get("one", "motion", 4, lambda: POINTS), POINTS)
    assert maps.read("one", "motion", 4) is None


def test_a_library_that_is_opened_again_has_its_map(own_library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def project(vectors: np.ndarray, method: str = "pca") -> Projection:
        asked.append(method)
        return Projection(method, vectors[:, :2].copy())  # type: ignore[arg-type]

    monkeypatch.setattr(of_services, "project", project)
    with Services(own_library, device="cpu") as services:
        assert (services.is_kept("motion", "pca"), services.is_kept("motion", "umap")) == (True, False)
        _, first = services.projection("motion", "umap")
        assert services.is_kept("motion", "umap")
    with Services(own_library, device="cpu") as services:
        _, again = services.projection("motion", "umap")
    assert asked == ["umap"]
    assert (again.method, again.explained) == ("umap", None)
    assert np.array_equal(again.points, first.points)
