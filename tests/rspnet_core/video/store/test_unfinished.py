"""A store whose writing was stopped: the same call goes on, any other is refused, and nothing is decoded twice."""

import json
import shutil
from pathlib import Path

import pytest
from filelock import FileLock
from typer.testing import CliRunner

from rspnet_core.cli.main import app
from rspnet_core.config import WholeVideo
from rspnet_core.errors import DatasetError, InvalidSetting
from rspnet_core.video.reading.sandbox import DecodePool
from rspnet_core.video.store import write
from rspnet_core.video.store.frame_store import StoreIndex, is_store, open_store
from rspnet_core.video.store.write import write_store

WANTED = WholeVideo(frame_size=32)


@pytest.fixture(autouse=True)
def a_shard_a_video(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "SHARD_FRAMES", 1)


@pytest.fixture
def files(sample_videos: Path) -> dict[str, Path]:
    return {path.name: path for path in sorted(sample_videos.rglob("*.mp4"))[:6]}


class Stopping(DecodePool):
    """Presses Ctrl-C instead of the video of a number, and remembers what it was asked for."""

    def __init__(self, number: int) -> None:
        super().__init__(1)
        self.number = number
        self.asked: list[str] = []

    def frames(self, path: Path, wanted: WholeVideo):  # type: ignore[no-untyped-def]
        if len(self.asked) == self.number:
            raise KeyboardInterrupt
        self.asked.append(path.name)
        return super().frames(path, wanted)


def written(files: dict[str, Path], out: Path, wanted: WholeVideo = WANTED) -> StoreIndex:
    with DecodePool(1) as pool:
        return write_store(files, out, wanted, pool)[0]


def stopped(files: dict[str, Path], out: Path, number: int = 5) -> None:
    with Stopping(number) as pool, pytest.raises(KeyboardInterrupt):
        write_store(files, out, WANTED, pool)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_store_that_was_stopped_is_finished_by_the_same_call(files: dict[str, Path], tmp_path: Path) -> None:
    whole = written(files, tmp_path / "whole")
    stopped(files, tmp_path / "stopped")
    begun = names(tmp_path / "stopped")
    assert begun[0] == "shard-000.mp4"
    assert begun[-1] == "unfinished.jsonl"
    for read in (open_store, is_store):  # or its shards would be taken for videos
        with pytest.raises(DatasetError, match="was not finished; give its `rspnet-train cache`"):
            read(tmp_path / "stopped")
    told: list[int] = []
    with Stopping(99) as pool:
        found, _ = write_store(
            files, tmp_path / "stopped", WANTED, pool, progress=lambda what, done, total: told.append(done)
        )
    num_kept = 6 - len(pool.asked)
    assert 0 < num_kept < 6
    assert pool.asked == list(files)[num_kept:]
    assert told == list(range(num_kept + 1, 7))
    assert found == whole  # hashes of all shards too
    assert names(tmp_path / "stopped") == names(tmp_path / "whole")
    assert open_store(tmp_path / "stopped").frames.equal(open_store(tmp_path / "whole").frames)


def test_a_line_that_a_kill_cut_off_is_written_again(files: dict[str, Path], tmp_path: Path) -> None:
    whole = written(files, tmp_path / "whole")
    out = tmp_path / "killed"
    stopped(files, out)
    journal = out / "unfinished.jsonl"
    journal.write_text(journal.read_text()[:-40])
    (out / ".shard-001.mp4.abc.part").write_bytes(b"half")
    assert written(files, out) == whole
    assert names(out) == names(tmp_path / "whole")


def test_what_was_stopped_before_anything_was_kept_takes_other_settings(files: dict[str, Path], tmp_path: Path) -> None:
    stopped(files, tmp_path / "x", number=0)
    assert written(files, tmp_path / "x", WholeVideo(frame_size=48)).side == 48


def test_another_size_or_another_video_is_refused_and_nothing_lost(files: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "x"
    stopped(files, out)
    with pytest.raises(InvalidSetting, match=r'begun otherwise.*"frame_size":32.*"frame_size":48'):
        written(files, out, WholeVideo(frame_size=48))
    first, second, *_ = files
    with pytest.raises(InvalidSetting, match=f"begun with '{first}', which is gone or another video"):
        written({**files, first: files[second]}, out)
    with pytest.raises(InvalidSetting, match="gone or another video"):
        written({second: files[second]}, out)
    with FileLock(out / ".writing"), pytest.raises(InvalidSetting, match="being written by another process"):
        written(files, out)
    (out / "unfinished.jsonl").write_text((out / "unfinished.jsonl").read_text() + "{}\n")
    with pytest.raises(InvalidSetting, match="is damaged"):
        written(files, out)
    lines = (out / "unfinished.jsonl").read_text().splitlines(keepends=True)
    (out / "unfinished.jsonl").write_text("".join(lines[:-1]))
    assert len(written(files, out).videos) == 6


def test_a_finished_store_is_not_written_again(files: dict[str, Path], tmp_path: Path) -> None:
    written(files, tmp_path / "x")
    with pytest.raises(InvalidSetting, match="holds files already"):
        written(files, tmp_path / "x")


def test_the_command_says_that_it_goes_on(
    files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "videos").mkdir()
    for name, path in files.items():
        shutil.copy2(path, tmp_path / "videos" / name)
    command = ["cache", str(tmp_path / "videos"), "--out", str(tmp_path / "x"), "--side", "32", "--json"]
    with monkeypatch.context() as patched:
        patched.setattr("rspnet_core.video.reading.sandbox.DecodePool", lambda workers: Stopping(5))
        done = CliRunner().invoke(app, command)
    assert done.exit_code == 130
    assert "the same command goes on" in done.stderr
    assert json.loads(CliRunner().invoke(app, command).stdout)["videos"] == 6
