"""Faster and slower: measured on a library's own videos, obeyed where the encoder tells them."""

import errno
import json
from pathlib import Path

import numpy as np
import pytest

from app.session.opened import OpenedLibrary
from app.session.ranking import rank
from indexer.cli import playback as command
from indexer.ingest.build import build_library
from indexer.retrieval import playback, speed
from indexer.retrieval.library import Library
from indexer.retrieval.playback import _judged, measure_playback
from indexer.retrieval.search import PartWeights
from indexer.retrieval.speed import FILE_NAME, Playback, check_can_keep, read_playback
from rspnet_core.errors import DatasetError, InvalidSetting, LibraryError, MissingHead
from rspnet_core.video.reading.sandbox import DecodePool
from tests.indexer.cli.test_cli import rspnet_index
from tests.indexer.storage import copied

RECORDINGS = [str(number // 4) for number in range(160)]


def noise(seed: int, count: int = 160) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 16)).astype(np.float32)


def test_what_twice_the_speed_does_to_all_videos_is_told() -> None:
    towards = np.eye(16, dtype=np.float32)[3]
    found = _judged("f", noise(0) + 3 * towards, RECORDINGS)
    assert found.tells
    assert (found.videos, found.recordings) == (160, 40)
    assert found.ranked > 0.95
    assert found.doubling == pytest.approx(3, abs=0.3)
    np.testing.assert_allclose(found.direction, towards, atol=0.1)
    np.testing.assert_allclose(found.push("faster") @ (3 * towards), 1, atol=0.1)
    np.testing.assert_array_equal(found.push("slower"), -found.push("faster"))


@pytest.mark.parametrize("seed", range(3))
def test_what_it_does_to_each_recording_in_its_own_way_is_not(seed: int) -> None:
    """A direction that was learnt from the same recordings would rank all of them rightly."""
    found = _judged("f", np.repeat(5 * noise(seed, 40), 4, axis=0) + noise(seed + 10), RECORDINGS)
    assert not found.tells
    assert found.interval[0] < 0.5


def test_the_interval_is_wilsons_over_recordings() -> None:
    changes = np.ones((100, 1), np.float32)
    changes[:20] = -1
    found = _judged("f", changes, [str(number) for number in range(100)])
    assert found.ranked == pytest.approx(0.8)
    assert found.interval == pytest.approx((0.7112, 0.8666), abs=1e-4)  # Wilson, 80 of 100
    fewer = _judged("f", changes, [str(number // 5) for number in range(100)])
    assert fewer.interval[0] < found.interval[0]


def test_a_library_is_measured_on_its_own_videos(built: Path) -> None:
    heard = []
    with Library.open(built, device="cpu") as library:
        found = measure_playback(library, most=24, advance=lambda done, total: heard.append((done, total)))
        assert found == measure_playback(library, most=24)
        assert (found.videos, found.fingerprint) == (24, library.record.fingerprint)
    assert 10 <= found.recordings <= 24
    assert (heard[0], heard[-1]) == ((0, 24), (24, 24))
    assert np.linalg.norm(found.direction) == pytest.approx(1, abs=1e-5)


def test_what_is_decoded_first_changes_nothing(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Library.open(built, device="cpu") as library:
        found = measure_playback(library, most=12)
        decode = DecodePool.map
        monkeypatch.setattr(DecodePool, "map", lambda pool, requests: reversed(list(decode(pool, requests))))
        assert measure_playback(library, most=12) == found


def told(library: Library, **changed) -> Playback:
    """What a measurement might have found."""
    size = library.layout.dims["motion"]
    direction = np.random.default_rng(1).normal(size=size)
    direction /= np.linalg.norm(direction)
    known = {
        "ranked": 0.9,
        "interval": (0.8, 0.95),
        "doubling": 0.25,
        "fingerprint": library.record.fingerprint,
    } | changed
    return Playback(direction=direction.tolist(), videos=40, recordings=40, **known)


@pytest.fixture
def own(by_energy: Path, sample_videos: Path, tmp_path: Path) -> Path:
    """A library to measure."""
    return copied(by_energy, tmp_path / "own", sample_videos)


WEIGHTS = PartWeights(backbone=0.5, motion=0.5)


def test_a_search_obeys_and_its_scores_stay(own: Path) -> None:
    with Library.open(own, device="cpu") as library:
        told(library).write(own)
        query = next(iter(library.catalogue.videos()))
        plain = library.search(query.id, top=32, weights=WEIGHTS)
        scores = {hit.id: hit.score for hit in plain}
        motion = library.layout.slices()["motion"]
        vectors = library.catalogue.video_vectors([hit.id for hit in plain])
        all_rows = np.concatenate([rows for _, rows in library.catalogue.all_vectors()])
        mixed = sum(0.5 * all_rows[:, place] @ all_rows[:, place].T for name, place in library.layout.slices().items()
                    if name in ("backbone", "motion"))  # fmt: skip
        spread = mixed[np.triu_indices(32, 1)].std()
        along = {
            hit.id: float(vector[motion] @ np.array(told(library).direction))
            for hit, vector in zip(plain, vectors, strict=True)
        }
        for speed, sign in (("faster", 1), ("slower", -1)):
            found = library.search(query.id, top=32, weights=WEIGHTS, speed=speed)
            by_hand = {id_: score + sign * spread * along[id_] / 0.25 for id_, score in scores.items()}
            shown = [by_hand[hit.id] for hit in found]
            assert shown == pytest.approx(sorted(by_hand.values(), reverse=True), abs=1e-4)
            assert [hit.score for hit in found] == pytest.approx([scores[hit.id] for hit in found], abs=1e-5)
            assert found.query["speed"] == speed
            opened = OpenedLibrary(own, "cpu")
            asked = opened.library.embed(query.id)
            page = rank(opened, asked, WEIGHTS, per_page=32, speed=speed)
            opened.library.close()
            assert [hit.id for hit in page.hits] == [hit.id for hit in found]
            assert [hit.score for hit in page.hits] == pytest.approx([hit.score for hit in found], abs=1e-6)
        assert "speed" not in plain.query


def test_a_search_is_refused_where_speeds_are_not_told(own: Path) -> None:
    with Library.open(own, device="cpu") as library:
        query = next(iter(library.catalogue.videos())).id
        with pytest.raises(InvalidSetting, match="was not measured; run `rspnet-index playback`"):
            library.search(query, speed="faster")
        told(library, ranked=0.58, interval=(0.46, 0.69)).write(own)
        with pytest.raises(InvalidSetting, match=r"58% of 40 videos of 40 recordings .* which may be chance"):
            library.search(query, speed="faster")
        told(library, fingerprint="another").write(own)
        for damaged in (None, "", "[]", "{}", '{"interval": 5}'):
            if damaged is not None:
                (own / "playback.json").write_text(damaged)
            with pytest.raises(InvalidSetting, match="was not measured"):
                read_playback(own, library.record.fingerprint)
        with pytest.raises(InvalidSetting, match="speed: got 'fast', allowed are faster, slower"):
            library.search(query, speed="fast")  # type: ignore[arg-type]


def test_what_cannot_be_measured_says_why(few_videos: Path, small_weights: Path) -> None:
    build_library(few_videos, weights=str(small_weights), device="cpu")
    with Library.open(few_videos, device="cpu") as library:
        with pytest.raises(DatasetError, match="needed are 10; index more videos"):
            measure_playback(library)
        library.layout.dims.pop("motion")
        with pytest.raises(MissingHead, match="no motion head"):
            measure_playback(library)


def test_the_command_keeps_what_it_found(own: Path) -> None:
    document = json.loads(rspnet_index("playback", "--index", own, "--videos", 12, "--json").stdout)
    kept = json.loads((own / FILE_NAME).read_text())
    assert (kept["videos"], kept["ranked"], kept["interval"]) == (12, document["ranked"], document["interval"])
    assert document["tells"] is False
    with Library.open(own, device="cpu") as library:
        with pytest.raises(InvalidSetting, match="may be chance"):
            library.playback()
        told(library).write(own)
        query = next(iter(library.catalogue.videos())).id
    shown = rspnet_index("search", query, "--index", own, "--speed", "slower").stdout
    assert f"Most like {query}, slower, by backbone 100%" in shown


def test_a_folder_that_cannot_be_written_is_told_before_all_is_measured(own: Path, tmp_path: Path) -> None:
    with Library.open(own, device="cpu") as library:
        for refused in (told(library).write, check_can_keep):
            with pytest.raises(LibraryError, match=r"cannot write in .*gone"):
                refused(tmp_path / "gone")
    before = sorted(own.iterdir())
    check_can_keep(own)
    assert sorted(own.iterdir()) == before


def test_the_command_does_not_measure_what_it_cannot_keep(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_only(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(speed, "TemporaryFile", read_only)
    monkeypatch.setattr(playback, "measure_playback", lambda *_, **__: pytest.fail("measured"))
    with pytest.raises(LibraryError, match=r"cannot write in .* \(Read-only file system\)"):
        command.playback(own)
