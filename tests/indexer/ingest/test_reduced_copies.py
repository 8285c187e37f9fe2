import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from indexer.index.place import FOLDER_NAME
from indexer.ingest.build import build_library
from indexer.ingest.report import BuildReport
from indexer.retrieval.library import Library
from rspnet_core.errors import EncoderMismatch, InvalidSetting
from rspnet_core.video.making.encode import write_video
from rspnet_core.video.reading.sandbox import DecodePool
from tests.rspnet_core.video.made_videos import numbered_frames

Build = Callable[..., BuildReport]


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """Three videos of 240 x 180 pixels, one of 120 x 90."""
    frames = numbered_frames(40, 320, 240)
    folder = tmp_path / "videos"
    folder.mkdir()
    for number in range(3):
        write_video(folder / f"{number}.mp4", frames[number * 9 :, 20 * number :, 30 * number :][:30, :180, :240])
    write_video(folder / "small.mp4", frames[:30, :90, :120])
    return folder


@pytest.fixture
def build(videos: Path, small_weights: Path) -> Build:
    return lambda **settings: build_library(videos, device="cpu", **({"weights": str(small_weights)} | settings))


def test_a_second_encoder_decodes_copies_and_finds_the_same(
    build: Build, videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    build(index=tmp_path / "plain")
    assert build(cache=cache).indexed == 4
    assert len(list(cache.glob("*/*.mp4"))) == 3  # the small one is read from its file
    assert json.loads((videos / FOLDER_NAME / "library.json").read_text())["cache"] == str(cache)
    made: list[str] = []
    monkeypatch.setattr(DecodePool, "_reduced", lambda pool, request, *_: made.append(Path(request.path).name))
    assert build(index=tmp_path / "other", weights=None, backbone="energy", cache=cache).indexed == 4
    assert made == ["small.mp4"]
    with Library.open(videos) as library, Library.open(tmp_path / "plain") as plain:
        assert library.record.description["frames"] == "reduced" and "frames" not in plain.record.description
        assert library.record.fingerprint != plain.record.fingerprint
        rows = {row.path: (row.id, row.width, row.num_frames, row.content_hash) for row in library.catalogue.videos()}
        plainly = {row.path: (row.id, row.width, row.num_frames, row.content_hash) for row in plain.catalogue.videos()}
        assert [facts[1:] for facts in rows.values()] == [facts[1:] for facts in plainly.values()]
        for path, (key, *_) in rows.items():
            pair = library.catalogue.video_vector(key), plain.catalogue.video_vector(plainly[path][0])
            assert np.dot(*pair) > 0.99 * np.linalg.norm(pair[0]) ** 2
            assert (pair[0] == pair[1]).all() == (path == "small.mp4")
            assert Path(library.search(videos / path).hits[0].path).name == path  # a file from outside is read as it is


def test_a_library_goes_on_with_its_cache_and_never_mixes(build: Build, videos: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    build(cache=cache)
    write_video(videos / "new.mp4", numbered_frames(30, 240, 180)[:, ::-1])
    assert build().indexed == 1 and len(list(cache.glob("*/*.mp4"))) == 4
    build(index=tmp_path / "plain")
    with pytest.raises(EncoderMismatch):
        build(index=tmp_path / "plain", cache=cache)
    assert "cache" not in json.loads((tmp_path / "plain" / "library.json").read_text())
    assert build(index=tmp_path / "plain").skipped == 5


def test_what_cannot_be_reduced_for_an_encoder_is_refused_before_anything_is_made(
    build: Build, videos: Path, tmp_path: Path
) -> None:
    with pytest.raises(InvalidSetting, match=r"s3dg sees 224 pixels and reduced copies have 128; leave --cache out"):
        build(weights=None, backbone="s3dg", cache=tmp_path / "cache")
    with pytest.raises(InvalidSetting, match=r"got --cache-limit 5 and no --cache"):
        build(cache_gigabytes=5)
    with pytest.raises(InvalidSetting, match=r"holds other files"):
        build(cache=videos)
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("named", [5, ["/tmp"], {}, None])
def test_a_cache_that_is_no_path_is_none(named: object, build: Build, videos: Path) -> None:
    build()
    settings = videos / FOLDER_NAME / "library.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"cache": named}))
    assert build().skipped == 4
