import shutil
import sys
import threading
from functools import reduce
from pathlib import Path

import numpy as np
import pytest

from app.main import _banner
from app.serving.uploads import keep_upload, safe_name
from app.session.queries import QueryHandle
from app.session.services import Services
from indexer.index.place import Place
from indexer.ingest.build import build_library
from indexer.retrieval.chance import DEFAULT_RATE
from indexer.retrieval.composition import Examples
from indexer.retrieval.filters import Filters
from indexer.retrieval.search import PartWeights
from rspnet_core.errors import (
    InvalidSetting,
    LibraryBusy,
    LibraryNotFound,
    MissingHead,
    NothingMatches,
    QueryNotFound,
    VideoError,
)
from tests.app.conftest import EDITOR

HALF = PartWeights(backbone=0, motion=0.5, appearance=0.5)


def first_id(services: Services) -> str:
    return services.videos(limit=1)[0].id


def test_ranking_equals_a_search_of_the_library_page_by_page(services: Services, new_video: Path) -> None:
    handle = services.embed(EDITOR, new_video)
    expected = services.library.search(new_video, top=32, weights=HALF, moments=True)
    pages = [services.rank(handle, HALF, page=number) for number in (1, 2, 3)]
    hits = [hit for page in pages for hit in page.hits]
    assert [hit.id for hit in hits] == [hit.id for hit in expected]
    for hit, other in zip(hits, expected, strict=True):
        assert hit.score == pytest.approx(other.score, abs=1e-5)
        assert (hit.start_seconds, hit.end_seconds) == (other.start_seconds, other.end_seconds)
        assert other.path.endswith(hit.path)
    assert [(page.page, page.num_pages, page.num_videos, page.first_rank) for page in pages] == [
        (1, 3, 32, 1),
        (2, 3, 32, 13),
        (3, 3, 32, 25),
    ]


def test_the_line_of_what_is_unusual_obeys_the_rate_that_is_asked_for(services: Services) -> None:
    handle = services.stored(services.videos(limit=1)[0].id)
    strict, usual, loose = (services.rank(handle, PartWeights(), **rate).chance for rate in (
        {"false_alarms": 0.005}, {}, {"false_alarms": 0.1}
    ))  # fmt: skip
    assert [each.rate for each in (strict, usual, loose)] == [0.005, DEFAULT_RATE, 0.1]
    assert strict.score is not None and loose.score is not None
    assert strict.score > loose.score
    with pytest.raises(InvalidSetting, match="above 0 and below 1"):
        services.rank(handle, PartWeights(), false_alarms=0)


def test_ranking_again_needs_no_encoder(services: Services, new_video: Path, tmp_path: Path) -> None:
    path = tmp_path / "gone.mp4"
    shutil.copy(new_video, path)
    handle = services.embed(EDITOR, path)
    path.unlink()
    first = services.rank(handle, PartWeights(motion=1))
    second = services.rank(handle, PartWeights(appearance=1))
    assert first.shares != second.shares


def test_filters_restrict_and_pages_stay_in_range(services: Services) -> None:
    handle = services.stored(first_id(services))
    found = services.rank(handle, PartWeights(), Filters(label="Spin"), page=99)
    assert {hit.label for hit in found.hits} == {"Spin"}
    assert (found.page, found.num_pages, found.num_videos) == (1, 1, 4)
    assert {hit.split for hit in services.rank(handle, PartWeights(), Filters(split="test")).hits} == {"test"}
    with pytest.raises(NothingMatches, match="no class spin; did you mean Spin"):
        services.rank(handle, PartWeights(), Filters(label="spin"))


def test_a_file_that_the_library_holds_becomes_its_video(services: Services, data: Path, tmp_path: Path) -> None:
    video = services.videos(limit=1)[0]
    copy = tmp_path / "renamed.mp4"
    shutil.copy(data / video.path, copy)
    handle = services.embed(EDITOR, copy)
    assert (handle.video_id, handle.name) == (video.id, "renamed.mp4")


def test_a_segment_is_another_query(services: Services, new_video: Path) -> None:
    whole, part = services.embed(EDITOR, new_video), services.embed(EDITOR, new_video, 0.5, 1.5)
    assert whole.key != part.key
    assert not np.array_equal(services.query(whole).vector, services.query(part).vector)
    assert services.embed(EDITOR, new_video, 0, 0) == whole


@pytest.mark.parametrize(
    ("start", "end", "error", "says"),
    [
        (2.0, 1.0, InvalidSetting, "ends at 1 s, before its start"),
        (-1.0, None, InvalidSetting, "seconds from 0"),
        (float("nan"), None, InvalidSetting, "seconds from 0"),
        (100.0, None, VideoError, "lasts 3.00 s"),
    ],
)
def test_wrong_segments_are_explained(services: Services, new_video: Path, start, end, error, says) -> None:
    with pytest.raises(error, match=says):
        services.embed(EDITOR, new_video, start, end)


def test_hostile_uploads_are_explained(services: Services, tmp_path: Path, monkeypatch) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("hello")
    with pytest.raises(VideoError, match=r"text\.mp4: not a video file"):
        services.embed(EDITOR, text)
    with pytest.raises(VideoError, match="not here any more"):
        services.embed(EDITOR, tmp_path / "absent.mp4")
    link = tmp_path / "link.mp4"
    link.symlink_to(text)
    with pytest.raises(VideoError, match="not here any more"):
        services.embed(EDITOR, link)
    monkeypatch.setattr("app.session.queries.MAX_QUERY_BYTES", 3)
    with pytest.raises(VideoError, match="the limit is"):
        services.embed(EDITOR, text)


def test_unknown_ids_are_refused(services: Services) -> None:
    for video_id in ("0123456789abcdef", "../../etc/passwd", "", "q" * 33):
        with pytest.raises(QueryNotFound):
            services.stored(video_id)


def test_many_visitors_at_once_get_the_same_answers(services: Services, new_video: Path) -> None:
    handle = services.embed(EDITOR, new_video)
    expected = services.rank(handle, HALF).hits
    found: list[bool] = []

    def search() -> None:
        found.extend(services.rank(services.embed(EDITOR, new_video), HALF).hits == expected for _ in range(5))

    threads = [threading.Thread(target=search) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 30


def test_a_hit_is_one_kind_of_example_at_a_time_and_a_look_stands_alone(services: Services) -> None:
    one, *ids = (video.id for video in services.videos(limit=20))
    handle = services.stored(one).asking("like", ids[0]).asking("unlike", ids[1])
    assert handle.others == Examples(like=(ids[0],), unlike=(ids[1],))
    assert handle.asking("unlike", ids[0]).others == Examples(unlike=(ids[1], ids[0]))
    looked = handle.asking("look_of", ids[2])
    assert looked.others == Examples(look_of=ids[2])
    assert looked.asking("like", ids[0]).others == Examples(like=(ids[0],))
    assert looked.without(ids[2]).others == Examples()
    with pytest.raises(InvalidSetting, match="the query itself"):
        handle.asking("like", one)
    assert services.stored(one, 1.0).asking("like", one).others == Examples(like=(one,))
    with pytest.raises(InvalidSetting, match="at most 16"):
        reduce(lambda so_far, each: so_far.asking("like", each), ids, handle)


def test_examples_count_in_a_ranking_and_a_cut_keeps_them(services: Services) -> None:
    one, other, third = (video.id for video in services.videos(limit=3))
    handle = services.stored(one).asking("like", other).asking("unlike", third)
    expected = services.library.search(one, like=[other], unlike=[third], top=12)
    found = services.rank(handle, PartWeights())
    assert [(hit.id, hit.score, hit.percentiles) for hit in found.hits] == [
        (hit.id, pytest.approx(hit.score), hit.percentiles) for hit in expected
    ]
    assert found.chance == expected.chance
    with pytest.raises(InvalidSetting, match="appearance has weight 0"):
        services.rank(services.stored(one).asking("look_of", other), PartWeights())


def test_a_newer_generation_is_opened(own_library: Path, new_video: Path) -> None:
    with Services(own_library, device="cpu") as services:
        assert (len(services.opened.index), services.reload()) == (4, False)
        shutil.copy(new_video, own_library)
        build_library(own_library, device="cpu")
        assert (services.reload(), len(services.opened.index)) == (True, 5)


def test_a_damaged_newer_generation_leaves_the_old_one(own_library: Path) -> None:
    with Services(own_library, device="cpu") as services:
        (own_library / ".rspnet" / "CURRENT").write_text("nonsense")
        assert (services.reload(), len(services.opened.index)) == (False, 4)


def test_a_library_without_anything_published_is_empty(tmp_path: Path) -> None:
    Place.prepare(tmp_path / ".rspnet", None)
    with Services(tmp_path, device="cpu") as services:
        assert services.is_empty
        assert (services.encoder, services.is_untrained) == ({}, False)
        with pytest.raises(LibraryNotFound, match="Library tab"):
            services.rank(QueryHandle("x", "0" * 16, "x", "0" * 16), PartWeights())


def test_the_page_warns_of_an_untrained_encoder(few_videos: Path) -> None:
    build_library(few_videos, backbone="tiny", device="cpu")
    with Services(few_videos, device="cpu") as services:
        assert services.is_untrained
        assert "encoder is untrained" in _banner(services)


def test_an_encoder_without_heads_offers_the_backbone_alone(headless: Path) -> None:
    with Services(headless, device="cpu") as services:
        assert (services.parts, services.has_heads) == (["backbone"], False)
        handle = services.stored(first_id(services))
        assert services.rank(handle, PartWeights()).hits[0].scores["motion"] is None
        with pytest.raises(MissingHead, match="no motion head"):
            services.rank(handle, PartWeights(motion=1))


def test_pairs_are_explained_and_judged(services: Services, new_video: Path) -> None:
    handle, match = services.embed(EDITOR, new_video), first_id(services)
    explained = services.explain(handle, match)
    assert set(explained.cosines) == {"motion", "appearance"}
    other = services.explain(handle, match, (0, 1))
    assert (other.query.clip, other.match.clip) == (0, 1)


def test_the_report_and_the_map_come_from_the_open_library(services: Services) -> None:
    report, _ = services.report(weights=HALF)
    assert report["queries"] + report["gallery"] == 32
    videos, projection = services.projection("motion")
    assert projection.points.shape == (len(videos), 2) == (32, 2)
    with pytest.raises(InvalidSetting, match="backbone, motion, appearance"):
        services.projection("colour")


def test_videos_are_found_by_parts_of_their_names(services: Services) -> None:
    assert {video.label for video in services.videos(text="sPIn")} == {"Spin"}
    assert [video.id for video in services.videos(offset=2, limit=2)] == [v.id for v in services.videos(limit=4)][2:]


def test_uploads_are_kept_under_harmless_names_and_indexed(own_library: Path, new_video: Path, tmp_path: Path) -> None:
    upload = tmp_path / "..évil; <b>$(x).MP4"
    shutil.copy(new_video, upload)
    with Services(own_library, device="cpu") as services:
        kept = [keep_upload(EDITOR, upload, own_library) for _ in range(2)]
        assert [path.name for path in kept] == ["vil_b_x.mp4", "vil_b_x-2.mp4"]
        services.builder.start(EDITOR, own_library)
        status = services.builder.wait(120)
        assert (status.phase, status.indexed, status.failed) == ("done", 2, [])
        assert len(services.opened.index) == 6


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("a b.mp4", "a_b.mp4"),
        ("../../x.avi", "x.avi"),
        ("C:\\videos\\y.MKV", "y.mkv"),
        (".hidden", "hidden.video"),
        ("...", "video.video"),
        ("no suffix", "no_suffix.video"),
        ("x.mp4\n; rm", "x.video"),
        ("a" * 300 + ".mp4", "a" * 80 + ".mp4"),
    ],
)
def test_names_of_uploads_become_harmless(name: str, safe: str) -> None:
    assert safe_name(name) == safe


def test_what_is_no_video_is_not_kept(own_library: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("hello")
    with pytest.raises(VideoError, match=r"text\.mp4"):
        keep_upload(EDITOR, text, own_library)
    assert not (own_library / "uploads").exists()


def test_only_allowed_folders_are_indexed(own_library: Path, tmp_path: Path, new_video: Path) -> None:
    extra, secret = tmp_path / "extra" / "deep", tmp_path / "secret"
    for folder in (extra, secret):
        folder.mkdir(parents=True)
        shutil.copy(new_video, folder)
    (own_library / "out").symlink_to(secret)
    with Services(own_library, device="cpu", folders=(tmp_path / "extra",)) as services:
        builder = services.builder
        assert builder.data_folder(EDITOR, str(own_library / "Bounce")) == own_library
        assert builder.data_folder(EDITOR, str(extra)) == extra
        for refused in ("", "relative", str(secret), str(own_library / "out"), f"{extra}/../../secret", str(tmp_path)):
            with pytest.raises(InvalidSetting, match="allowed are folders in"):
                builder.data_folder(EDITOR, refused)
        builder.start(EDITOR, extra)
        assert builder.wait(120).indexed == 1
        assert len(services.opened.index) == 5


def test_adding_that_cannot_begin_is_told_and_is_over(own_library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "indexer.ingest.build", None)  # as where a package of it is broken
    with Services(own_library, device="cpu") as services:
        services.builder.start(EDITOR, own_library)
        status = services.builder.wait(30)
    assert (status.phase, status.message) == ("failed", "internal error; the server's log says more")


def test_a_build_can_be_stopped_and_goes_on_later(own_library: Path, sample_videos: Path) -> None:
    shutil.copytree(sample_videos / "Spin", own_library / "more")
    shutil.copytree(sample_videos / "Swing", own_library / "swings")
    with Services(own_library, device="cpu") as services:
        builder = services.builder
        builder.start(EDITOR, own_library)
        with pytest.raises(LibraryBusy, match="already"):
            builder.start(EDITOR, own_library)
        builder.stop(EDITOR)
        assert builder.wait(120).phase == "stopped"
        builder.start(EDITOR, own_library)
        assert builder.wait(120).phase == "done"
        assert len(services.opened.index) == len(list(own_library.rglob("*.mp4")))


def test_a_build_that_would_forget_the_splits_is_refused(
    sample_videos: Path, small_weights: Path, tmp_path: Path
) -> None:
    shutil.copytree(sample_videos / "Spin", tmp_path / "data" / "Spin")
    lists = sample_videos / "ucfTrainTestlist"
    build_library(tmp_path / "data", weights=str(small_weights), split_lists=lists, device="cpu")
    for given, phase in ((None, "failed"), (lists, "done")):
        with Services(tmp_path / "data", device="cpu", split_lists=given) as services:
            services.builder.start(EDITOR, tmp_path / "data")
            assert services.builder.wait(120).phase == phase
            assert services.opened.splits == ["train", "test"]
