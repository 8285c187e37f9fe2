"""What editors do from the page: one upload is one video, failed files are mended, videos leave and files stay."""

import shutil
from pathlib import Path

import pytest

from app.page.tabs.adding import _add, _index
from app.page.tabs.failures import failures
from app.page.tabs.ticks import ids_of
from app.serving.visitors import Visitor
from app.session.services import Services
from app.session.upkeep import take_out, try_again
from indexer.ingest.build import build_library
from rspnet_core.errors import InvalidSetting, LibraryBusy, NotAllowed, QueryNotFound, RspnetError, VideoError
from tests.app.conftest import EDITOR

VIEWER = Visitor("f" * 32, "viewer")


def paths(services: Services) -> list[str]:
    return [video.path for video in services.videos()]


def test_an_upload_is_the_one_video_that_is_added_and_it_has_no_class(
    own_library: Path, new_video: Path, sample_videos: Path, tmp_path: Path
) -> None:
    before = {video.path: (video.label, video.splits) for video in _all(own_library)}
    waits = sorted((sample_videos / "Spin").iterdir())[0]
    shutil.copy(waits, own_library / "Bounce" / "waits.mp4")
    gone = next(own_library.glob("*/v_*.mp4"))
    gone.rename(tmp_path / gone.name)  # and a video that a build of the folder would drop
    upload = tmp_path / "v_Spin_g09_c01.mp4"  # a name that says class and group
    shutil.copy(new_video, upload)
    with Services(own_library, device="cpu") as services:
        _add(services, EDITOR, [str(upload)])
        status = services.builder.wait(120)
        assert (status.phase, status.total, status.indexed) == ("done", 1, 1)
        added = services.videos(text="uploads/")
        assert [(video.path, video.label, video.group, video.splits) for video in added] == [
            ("uploads/v_Spin_g09_c01.mp4", None, None, {})
        ]
        left = {video.path: (video.label, video.splits) for video in services.videos() if video.id != added[0].id}
        assert left == before


def _all(folder: Path):
    with Services(folder, device="cpu") as services:
        return services.videos()


def test_no_upload_is_kept_where_one_is_no_video(own_library: Path, new_video: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("hello")
    with Services(own_library, device="cpu") as services:
        with pytest.raises(VideoError, match=r"text\.mp4"):
            _add(services, EDITOR, [str(new_video), str(text)])
        assert services.builder.status.phase == "idle"
    assert not (own_library / "uploads").exists()


def test_failed_files_are_tried_again_taken_off_and_forgotten_when_gone(own_library: Path, new_video: Path) -> None:
    broken = b"\x00\x00\x00\x20ftypisom" + bytes(200)
    for name in ("mended", "gone", "<b>still"):
        (own_library / "Bounce" / f"{name}.mp4").write_bytes(broken)
    build_library(own_library, device="cpu")
    shutil.copy(new_video, own_library / "Bounce" / "mended.mp4")
    (own_library / "Bounce" / "gone.mp4").unlink()
    with Services(own_library, device="cpu") as services:
        assert "Bounce/&lt;b&gt;still.mp4" in failures(services)
        failed = {video.path: video for video in services.library.catalogue.failed()}
        assert len(failed) == 3
        with pytest.raises(NotAllowed):
            try_again(services, VIEWER)
        with pytest.raises(QueryNotFound):
            try_again(services, EDITOR, [services.videos()[0].id])
        try_again(services, EDITOR)
        status = services.builder.wait(120)
        assert (status.phase, status.indexed, len(status.failed)) == ("done", 1, 1)
        still = [video.path for video in services.library.catalogue.failed()]
        assert still == ["Bounce/<b>still.mp4"]
        assert [video.label for video in services.videos(text="mended")] == ["Bounce"]
        assert take_out(services, EDITOR, [failed[still[0]].id]) == 1
        assert failures(services) == ""
    assert (own_library / "Bounce" / "<b>still.mp4").exists()


def test_videos_that_are_taken_out_are_found_no_more_and_their_files_stay(own_library: Path, monkeypatch) -> None:
    with Services(own_library, device="cpu") as services:
        first, *rest = services.videos()
        with pytest.raises(NotAllowed):
            take_out(services, VIEWER, [first.id])
        with pytest.raises(InvalidSetting, match="tick"):
            take_out(services, EDITOR, [])
        assert take_out(services, EDITOR, [first.id, "0" * 16]) == 1
        assert paths(services) == [video.path for video in rest]
        assert take_out(services, EDITOR, [first.id]) == 0
        monkeypatch.setattr("app.session.builds.BuildStatus.is_running", True)
        with pytest.raises(LibraryBusy):
            take_out(services, EDITOR, [rest[0].id])
    assert (own_library / first.path).exists()


def test_the_list_is_sorted_within_what_is_asked_for(services: Services) -> None:
    videos = {video.id: video for video in services.videos(limit=100)}
    split = [videos[found].splits.get(1) for found in services.opened.ids_with("", "split")]
    assert split == sorted(split)
    assert len(set(split)) == 2
    for order, turn in (("longest", -1), ("shortest", 1)):
        lengths = [videos[found].duration_seconds or 0 for found in services.opened.ids_with("", order)]
        assert lengths == sorted(lengths, key=lambda seconds: turn * seconds)
    assert services.opened.ids_with("spin", "class") == services.opened.ids_with("spin")


@pytest.mark.parametrize("ticked", ["../x", "0123456789abcdeg", "0" * 16 + "  " + "1" * 16, "0" * 17, " "])
def test_what_is_no_list_of_ids_is_refused(ticked: str) -> None:
    with pytest.raises(InvalidSetting):
        ids_of(ticked)
    assert ids_of(f"{'0' * 16} {'1' * 16} {'0' * 16}") == ["0" * 16, "1" * 16]
    assert ids_of("") == []


def test_who_chose_nothing_is_told_to_choose(services: Services) -> None:
    with pytest.raises(RspnetError, match="Choose video files first"):
        _add(services, EDITOR, [])
    with pytest.raises(RspnetError, match="Choose a folder first"):
        _index(services, EDITOR, None)
