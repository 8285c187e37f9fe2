"""Stores of frames: what comes out is what the videos show, and what was tampered with is refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from rspnet_core.cli.main import app
from rspnet_core.config import WholeVideo
from rspnet_core.errors import DatasetError, InvalidSetting, VideoError
from rspnet_core.video.making.encode import write_video
from rspnet_core.video.reading.decode import read_frames
from rspnet_core.video.reading.sandbox import DecodePool
from rspnet_core.video.store.frame_store import INDEX, open_store, read_index
from rspnet_core.video.store.write import write_store
from tests.conftest import Once

WANTED = WholeVideo(frame_size=64)


def named(folder: Path, count: int) -> dict[str, Path]:
    return {path.name: path for path in sorted(folder.rglob("*.mp4"))[:count]}


@pytest.fixture(scope="module")
def store(sample_videos: Path, once: Once) -> Path:
    """Of six sample videos; read only."""

    def write(folder: Path) -> None:
        with DecodePool(1) as pool:
            index, unreadable = write_store(named(sample_videos, 6), folder / "six.store", WANTED, pool)
        assert (len(index.videos), unreadable) == (6, {})
        open_store(folder / "six.store", workers=1)

    return once("store", write) / "six.store"


@pytest.fixture
def copy(store: Path, tmp_path: Path) -> Path:
    return shutil.copytree(store, tmp_path / "copy.store")


def test_the_frames_of_a_store_are_those_of_the_videos(store: Path, sample_videos: Path) -> None:
    opened = open_store(store)
    for video, path in zip(opened.index.videos, named(sample_videos, 6).values(), strict=True):
        expected, aspect = read_frames(path, WANTED)
        held = opened.frames[video.first : video.first + video.frames].numpy()
        assert held.shape == expected.shape
        assert video.aspect == pytest.approx(aspect)
        error = np.mean((held.astype(float) - expected) ** 2)
        assert 10 * np.log10(255**2 / error) > 30  # dB: one more encoding


def test_a_store_is_the_same_whatever_the_number_of_decoders(store: Path, sample_videos: Path, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    with DecodePool(3) as pool:
        index, _ = write_store(
            named(sample_videos, 6), tmp_path / "x.store", WANTED, pool, progress=lambda *how_far: told.append(how_far)
        )
    assert index == read_index(store)
    assert told == [("videos", done, 6) for done in range(1, 7)]


def test_clips_are_cut_by_index(store: Path) -> None:
    opened = open_store(store)
    first = opened.index.videos[2].first
    clips = opened.clips(np.array([[first, first + 2], [first + 1, first + 1]]))
    assert clips.shape == (2, 2, 64, 64, 3)
    assert clips[0, 1].equal(opened.frames[first + 2])
    assert clips[1, 0].equal(clips[1, 1])


@pytest.mark.parametrize(("part", "stays"), [(0.59, False), (0.61, True)])
def test_frames_that_would_fill_a_gpu_stay_where_they_are_and_clips_are_copied(
    store: Path, monkeypatch: pytest.MonkeyPatch, part: float, stays: bool
) -> None:
    opened = open_store(store)
    free = round(opened.frames.numel() / part)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, free))
    on_gpu = opened.on(torch.device("meta"))  # in a GPU's place: of what lies there, only the device is known
    assert on_gpu.frames.device.type == ("cpu" if stays else "meta")
    clips = on_gpu.clips(np.array([[0, 2], [1, 1], [5, 4]]))
    assert (clips.device.type, clips.shape, clips.dtype) == ("meta", (3, 2, 64, 64, 3), torch.uint8)
    assert opened.on(torch.device("cpu")) is opened


def test_of_a_long_video_the_middle_is_taken(tmp_path: Path) -> None:
    frames = np.repeat(np.arange(0, 200, 5, dtype=np.uint8), 32 * 32 * 3).reshape(-1, 32, 32, 3)  # ever brighter
    write_video(tmp_path / "v.mp4", frames, fps=25, crf=5)
    taken, aspect = read_frames(tmp_path / "v.mp4", WholeVideo(frame_size=32, max_frames=10))
    assert (len(taken), aspect) == (10, 1.0)
    assert np.allclose(taken.mean(axis=(1, 2, 3)), np.arange(15, 25) * 5, atol=4)


def test_a_file_that_is_no_video_is_left_out_and_named(sample_videos: Path, tmp_path: Path) -> None:
    (tmp_path / "noise.mp4").write_bytes(bytes(range(256)) * 40)
    files = {**named(sample_videos, 1), "noise.mp4": tmp_path / "noise.mp4"}
    with DecodePool(1) as pool:
        index, unreadable = write_store(files, tmp_path / "out.store", WANTED, pool)
        with pytest.raises(DatasetError, match="no videos to write"):
            write_store({}, tmp_path / "none.store", WANTED, pool)
        with pytest.raises(DatasetError, match="none of 1 videos"):
            write_store({"noise.mp4": tmp_path / "noise.mp4"}, tmp_path / "none.store", WANTED, pool)
    assert (len(index.videos), list(unreadable)) == (1, ["noise.mp4"])
    with pytest.raises(DatasetError, match="no store"):
        read_index(tmp_path / "none.store")  # without its index a folder is none


def test_a_folder_that_holds_files_is_left_as_it_is(sample_videos: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with DecodePool(1) as pool, pytest.raises(InvalidSetting, match="holds files already"):
        write_store(named(sample_videos, 1), tmp_path, WANTED, pool)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_shard_that_was_changed_is_refused(copy: Path) -> None:
    (copy / "frames-64.u8").unlink()
    shard = copy / "shard-000.mp4"
    shard.write_bytes(shard.read_bytes()[:-1] + b"x")
    with pytest.raises(DatasetError, match="not the file that was written"):
        open_store(copy, workers=1)
    assert not list(copy.glob("*.u8*"))


def test_decoded_frames_of_another_length_are_made_anew(copy: Path, store: Path) -> None:
    (copy / "frames-64.u8").write_bytes(b"short")
    assert open_store(copy, workers=1).frames.equal(open_store(store).frames)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda index: index["videos"][1].update(first=7), "do not follow each other"),
        (lambda index: index["videos"][1].update(frames=0), "videos.1.frames"),
        (lambda index: index["videos"][0].update(path="/etc/passwd"), "absolute"),
        (lambda index: index["shards"][0].update(file="../../other.mp4"), r"shards\.0\.file"),
        (lambda index: index.update(version=2), "version"),
        (lambda index: index.update(side=10**9), "side"),
        (lambda index: index.update(more=1), "more"),
    ],
)
def test_an_index_that_does_not_hold_together_is_refused(copy: Path, change: object, message: str) -> None:
    index = json.loads((copy / INDEX).read_text())
    change(index)  # type: ignore[operator]
    (copy / INDEX).write_text(json.dumps(index))
    with pytest.raises(DatasetError, match=message):
        open_store(copy, workers=1)


def test_a_hostile_video_of_a_pool_is_an_error_of_that_video(tmp_path: Path) -> None:
    (tmp_path / "v.mp4").write_bytes(b"\0" * 2000)
    with DecodePool(1) as pool, pytest.raises(VideoError):
        pool.frames(tmp_path / "v.mp4", WANTED).result()


def test_the_command_tells_what_it_wrote(sample_videos: Path, tmp_path: Path) -> None:
    names = [path.relative_to(sample_videos).as_posix() for path in sorted(sample_videos.rglob("*.mp4"))[:3]]
    (tmp_path / "list.txt").write_text("\n".join(names))
    command = ["cache", str(sample_videos), "--list", str(tmp_path / "list.txt"), "--side", "32"]
    done = CliRunner().invoke(app, [*command, "--out", str(tmp_path / "a.store"), "--json"])
    document = json.loads(done.stdout)
    assert (done.exit_code, document["videos"], document["unreadable"]) == (0, 3, [])
    assert open_store(tmp_path / "a.store", workers=1).paths == names
    assert document["bytes"] == sum(path.stat().st_size for path in (tmp_path / "a.store").glob("*.mp4"))


def test_several_folders_stand_under_their_names(sample_videos: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        shutil.copy2(sorted(sample_videos.rglob("*.mp4"))[0], tmp_path / name / "same.mp4")
    folders = [str(tmp_path / "one"), str(tmp_path / "two")]
    done = CliRunner().invoke(app, ["cache", *folders, "--side", "32", "--out", str(tmp_path / "b.store")])
    assert done.exit_code == 0
    assert [video.path for video in read_index(tmp_path / "b.store").videos] == ["one/same.mp4", "two/same.mp4"]
    done = CliRunner().invoke(app, ["cache", folders[0], folders[0], "--out", str(tmp_path / "c.store")])
    assert isinstance(done.exception, InvalidSetting)
