"""One question put to two libraries of the same videos."""

import shutil
from pathlib import Path

import pytest

from app.session.comparing import compare
from app.session.services import Services
from indexer.ingest.build import build_library
from indexer.retrieval.chance import DEFAULT_RATE
from indexer.retrieval.filters import Filters
from indexer.retrieval.library import Library
from indexer.retrieval.search import PartWeights
from indexer.retrieval.tagging import tag_videos
from rspnet_core.errors import InvalidSetting, MissingHead, NothingMatches, QueryNotFound
from tests.app.conftest import EDITOR


@pytest.fixture(scope="module")
def moved(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The videos of ``data`` by energy, in one folder without classes, but for those of one class."""
    folder = tmp_path_factory.mktemp("flat") / "by energy"
    folder.mkdir()
    for number, video in enumerate(sorted(data.rglob("v_*.mp4"))):
        if video.parent.name != "Spin":
            shutil.copy2(video, folder / f"{number} <b>.mp4")
    build_library(folder, backbone="energy", device="cpu")
    return folder


@pytest.fixture(scope="module")
def both(data: Path, moved: Path):
    with Services(data, device="cpu", others=(moved,)) as services:
        yield services


def found(services: Services, handle, weights=None, filters=None):
    weights = weights or PartWeights()
    return compare(services, "by energy", handle, weights, filters or Filters(), DEFAULT_RATE)


def test_each_column_is_what_its_library_finds_among_the_videos_of_both(both: Services, moved: Path) -> None:
    query = next(video for video in both.videos(limit=40) if video.label == "Bounce")
    weights = PartWeights(backbone=0.5, motion=0.5)
    compared = found(both, both.stored(query.id), weights)
    ours = both.library.search(query.id, top=32, weights=weights)
    assert [hit.id for hit in compared.ours.hits] == [hit.id for hit in ours if hit.label != "Spin"][:12]
    with Library.open(moved, device="cpu") as library:
        by_content = {video.content_hash: video.id for video in both.videos(limit=40)}
        contents = {video.id: video.content_hash for video in library.catalogue.videos()}
        there = library.search(str(both.library.path_of(query)), top=12, weights=weights)
        assert [hit.id for hit in compared.theirs.hits] == [by_content[contents[hit.id]] for hit in there]
        assert [hit.score for hit in compared.theirs.hits] == pytest.approx([hit.score for hit in there], abs=1e-4)
    assert compared.num_shared == compared.ours.num_videos == compared.theirs.num_videos < 32
    assert compared.common == {hit.id for hit in compared.ours.hits} & {hit.id for hit in compared.theirs.hits}
    assert query.id in compared.common
    assert {hit.label for hit in compared.theirs.hits} - {None, "Spin"}
    assert not any("<b>" in name for name in compared.theirs.names.values())
    assert compared.encoder["backbone"] == "energy"


def test_filters_are_those_of_the_own_library_and_hold_for_both(both: Services) -> None:
    handle = both.stored(both.videos(limit=1)[0].id)
    compared = found(both, handle, filters=Filters(label="Swing"))
    for page in (compared.ours, compared.theirs):
        assert page.hits
        assert {hit.label for hit in page.hits} == {"Swing"}
    with pytest.raises(NothingMatches, match="in both libraries, here and in by energy"):
        found(both, handle, filters=Filters(label="Spin"))


def test_tags_are_those_of_the_own_library(both: Services) -> None:
    tagged = next(video for video in both.videos(limit=40) if video.label == "Bounce").id
    tag_videos(both.library, "mine", [tagged])
    try:
        compared = found(both, both.stored(tagged), filters=Filters(tag="mine"))
    finally:
        tag_videos(both.library, "mine", [tagged], on=False)
    for page in (compared.ours, compared.theirs):
        assert [hit.id for hit in page.hits] == [tagged]
        assert page.tags == {tagged: ["mine"]}


def test_a_query_that_the_other_library_does_not_hold_is_embedded_there(both: Services, new_video: Path) -> None:
    spin = next(video for video in both.videos(limit=40) if video.label == "Spin")
    upload = both.embed(EDITOR, new_video)
    for handle in (both.stored(spin.id), upload, both.stored(spin.id, 0.5, 1.5)):
        compared = found(both, handle)
        assert len(compared.theirs.hits) == 12
        assert all(hit.copy_of is None for hit in compared.theirs.hits)
    with pytest.raises(QueryNotFound, match="does not hold one of the further examples"):
        found(both, both.stored(both.videos(limit=1)[0].id).asking("like", spin.id))


def test_a_head_that_one_encoder_lacks_is_told_with_its_library(four_videos: Path, headless: Path) -> None:
    with Services(four_videos, device="cpu", others=(headless,)) as services:
        handle = services.stored(services.videos(limit=1)[0].id)
        (name,) = services.others.names
        with pytest.raises(MissingHead, match=f"^{name}: this library's encoder has no motion head"):
            compare(services, name, handle, PartWeights(motion=1), Filters(), DEFAULT_RATE)
        assert len(compare(services, name, handle, PartWeights(), Filters(), DEFAULT_RATE).theirs.hits) == 4
        with pytest.raises(InvalidSetting, match=f"allowed are {name}"):
            compare(services, "another", handle, PartWeights(), Filters(), DEFAULT_RATE)


def test_a_newer_generation_of_the_other_library_is_compared(own_library: Path, four_videos: Path) -> None:
    with Services(four_videos, device="cpu", others=(own_library,)) as services:
        (name,) = services.others.names
        handle = services.stored(services.videos(limit=1)[0].id)
        assert compare(services, name, handle, PartWeights(), Filters(), DEFAULT_RATE).num_shared == 4
        next(own_library.rglob("v_*.mp4")).unlink()
        build_library(own_library, device="cpu")
        assert compare(services, name, handle, PartWeights(), Filters(), DEFAULT_RATE).num_shared == 3


def test_a_library_is_not_compared_with_itself(four_videos: Path) -> None:
    with pytest.raises(InvalidSetting, match="given twice"):
        Services(four_videos, device="cpu", others=(four_videos,))
