from pathlib import Path

import pytest

from indexer import Library, PartWeights
from rspnet_core.errors import InvalidSetting, LibraryNotFound, QueryNotFound, VideoError


@pytest.fixture(scope="module")
def library(built: Path):
    with Library.open(built, device="cpu") as library:
        yield library


@pytest.fixture
def video(sample_videos: Path) -> Path:
    return sorted(sample_videos.rglob("*.mp4"))[5]


HEADS = [
    PartWeights(),
    PartWeights(backbone=0, motion=1),
    PartWeights(backbone=0, appearance=1),
    PartWeights(motion=0.5, appearance=2),
]


@pytest.mark.parametrize("weights", HEADS, ids=["backbone", "motion", "appearance", "mixed"])
def test_a_gallery_video_finds_itself_first_with_score_one(library, video: Path, weights: PartWeights) -> None:
    result = library.search(video, weights=weights)
    assert (Path(result[0].path), result[0].score) == (video, pytest.approx(1, abs=1e-3))
    assert [hit.score for hit in result] == sorted((hit.score for hit in result), reverse=True)
    by_id = library.search(result[0].id, weights=weights)
    assert [hit.id for hit in by_id] == [hit.id for hit in result]


def test_hits_carry_the_cosine_of_every_part(library, video: Path) -> None:
    shares = {"backbone": 0.25, "motion": 0.25, "appearance": 0.5}
    for hit in library.search(video, weights=PartWeights(backbone=1, motion=1, appearance=2)):
        assert hit.score == pytest.approx(sum(shares[part] * hit.scores[part] for part in shares), abs=1e-4)


def test_filters_restrict_the_gallery(library, video: Path) -> None:
    label = library.search(video, top=1)[0].label
    others = {hit.label for hit in library.search(video, top=32)} - {label}
    other = min(others)
    assert {hit.label for hit in library.search(video, top=32, label=other)} == {other}
    assert {hit.split for hit in library.search(video, top=32, split="test")} == {"test"}
    assert {Path(hit.path).parent.name for hit in library.search(video, top=32, folder=other)} == {other}


def test_a_segment_of_a_stored_video_is_embedded_from_its_file(library, video: Path) -> None:
    whole = library.search(video, top=1)[0]
    part = library.search(whole.id, top=1, start_seconds=1.0, end_seconds=2.0)
    assert part.query["start_seconds"] == 1.0
    assert part[0].score < 1 - 1e-6


def test_moments_are_spans_inside_the_hit(library, video: Path) -> None:
    for hit in library.search(video, moments=True):
        assert 0 <= hit.start_seconds < hit.end_seconds <= 3.1
    assert library.search(video)[0].start_seconds is None


def test_wrong_queries_are_named(library, video: Path, tmp_path: Path) -> None:
    with pytest.raises(QueryNotFound, match="neither a file nor the id"):
        library.search("absent.mp4")
    with pytest.raises(QueryNotFound):
        library.search("0123456789abcdef")
    with pytest.raises(InvalidSetting, match="at least 1"):
        library.search(video, top=0)
    (tmp_path / "text.mp4").write_text("hello")
    with pytest.raises(VideoError, match=r"text.mp4"):
        library.search(tmp_path / "text.mp4")
    with pytest.raises(VideoError, match="lasts"):
        library.search(video, start_seconds=100)


def test_a_place_without_a_library_is_named(tmp_path: Path) -> None:
    with pytest.raises(LibraryNotFound, match="rspnet-index build"):
        Library.open(tmp_path)


def test_a_moved_library_is_found_with_its_videos(sample_videos: Path, small_weights: Path, tmp_path: Path) -> None:
    import shutil

    from indexer.ingest.build import build_library

    shutil.copytree(sample_videos / "Bounce", tmp_path / "old" / "Bounce")
    build_library(tmp_path / "old", weights=str(small_weights), device="cpu")
    (tmp_path / "old").rename(tmp_path / "new")
    with Library.open(tmp_path / "new", device="cpu") as library:
        hit = library.search(next((tmp_path / "new").rglob("*.mp4")), top=1)[0]
        assert Path(hit.path).is_file()
