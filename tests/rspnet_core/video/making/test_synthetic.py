import json
from pathlib import Path

import av
import numpy as np
import pytest

from rspnet_core.errors import DatasetError, InvalidSetting, RspnetError
from rspnet_core.video.datasets.dataset import scan
from rspnet_core.video.making.sample_scenes import ProgramScenes
from rspnet_core.video.making.scenes import HEIGHT, MOTIONS, SHAPES, TEXTURES, WIDTH, Look, render
from rspnet_core.video.making.synthetic import SampleManifest, read_manifest, write_sample_data


@pytest.fixture(autouse=True, scope="module")
def short_videos():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rspnet_core.video.making.synthetic._NUM_FRAMES", 12)
        yield


@pytest.fixture(scope="module")
def sample(tmp_path_factory, short_videos) -> SampleManifest:
    return write_sample_data(tmp_path_factory.mktemp("data") / "sample", groups=2)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_motion_exists_in_every_look_at_both_speeds(sample):
    truth = {(video.motion, video.group, video.playback_speed) for video in sample.videos}
    assert truth == {(motion, group, speed) for motion in MOTIONS for group in (1, 2) for speed in (1.0, 2.0)}
    assert len({video.texture for video in sample.videos}) == 2


def test_the_ground_truth_lists_what_is_there(sample):
    truth = json.loads((sample.folder / "ground_truth.json").read_text())
    assert {video["path"] for video in truth["videos"]} == {
        str(path.relative_to(sample.folder)) for path in sample.folder.rglob("*.mp4")
    }
    assert truth["videos"][0].keys() == {"path", "motion", "texture", "shape", "playback_speed", "group"}


def test_videos_are_h264_at_25_fps(sample):
    with av.open(str(sample.folder / sample.videos[0].path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.frames, stream.average_rate) == ("h264", 12, 25)
        assert (stream.width, stream.height) == (WIDTH, HEIGHT)


def test_it_scans_as_ucf101_without_leaks_or_remarks(sample):
    dataset = scan(sample.folder)
    assert dataset.layout == "UCF101"
    assert dataset.classes == sorted(MOTIONS)
    assert set(dataset.families) == set(MOTIONS)
    assert dataset.leaks == {}
    assert dataset.notes == []
    for file in dataset.files:
        assert sorted(file.splits) == [1, 2]
        assert sorted(file.splits.values()) == ["test", "train"]


def test_the_same_seed_gives_the_same_files_and_finishes_what_was_cut_off(sample, tmp_path):
    again = write_sample_data(tmp_path / "again", groups=2)
    assert contents(again.folder) == contents(sample.folder)
    gone = again.folder / again.videos[5].path
    gone.unlink()
    kept = again.folder / again.videos[6].path
    before = kept.stat().st_mtime_ns
    write_sample_data(again.folder, groups=2)
    assert contents(again.folder) == contents(sample.folder)
    assert kept.stat().st_mtime_ns == before


@pytest.mark.slow
def test_another_seed_replaces_the_videos_and_keeps_what_others_put_there(tmp_path):
    folder = tmp_path / "sample"
    write_sample_data(folder, groups=3)
    before = contents(folder)
    (folder / ".rspnet").mkdir()
    (folder / ".rspnet" / "CURRENT").write_text("1")
    manifest = write_sample_data(folder, groups=2, seed=1)
    after = contents(folder)
    assert {name for name in after if name.endswith(".mp4")} == {video.path for video in manifest.videos}
    assert after[".rspnet/CURRENT"] == b"1"
    assert all(after[video.path] != before[video.path] for video in manifest.videos)
    assert "ucfTrainTestlist/trainlist02.txt" in after
    assert "ucfTrainTestlist/trainlist03.txt" not in after


@pytest.mark.parametrize(
    "truth", [None, "", "[]", "{}", '{"generator": "me"}', '{"generator": "rspnet sample data, version 1", "seed": -1}']
)
def test_a_folder_with_something_else_is_refused_and_left_alone(tmp_path, truth):
    (tmp_path / "holiday.mp4").write_bytes(b"mine")
    if truth is not None:
        (tmp_path / "ground_truth.json").write_text(truth)
    before = contents(tmp_path)
    with pytest.raises(DatasetError, match="not empty"):
        write_sample_data(tmp_path)
    assert contents(tmp_path) == before


@pytest.mark.slow
def test_paths_in_a_foreign_ground_truth_are_never_followed(tmp_path):
    folder, outside = tmp_path / "sample", tmp_path / "outside.mp4"
    write_sample_data(folder, groups=2)
    outside.write_bytes(b"mine")
    truth = json.loads((folder / "ground_truth.json").read_text())
    truth["videos"][0]["path"] = "../outside.mp4"
    (folder / "ground_truth.json").write_text(json.dumps(truth))
    write_sample_data(folder, groups=2, seed=1)
    assert outside.read_bytes() == b"mine"


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(DatasetError):
        write_sample_data(tmp_path / "file")
    with pytest.raises(RspnetError, match="cannot write"):
        write_sample_data(tmp_path / "file" / "below")


@pytest.mark.parametrize("settings", [{"groups": 1}, {"groups": 100}, {"seed": -1}, {"seed": 2**31}])
def test_settings_out_of_range_are_refused(tmp_path, settings):
    with pytest.raises(InvalidSetting, match="allowed is"):
        write_sample_data(tmp_path / "sample", **settings)


def frames_of(motion: str, look: Look, speed: float, num_frames: int = 9) -> np.ndarray:
    settings = {"playback_speed": speed, "phase": 0.3, "num_frames": num_frames, "fps": 25}
    return np.stack(list(render(motion, look, **settings)))


@pytest.mark.parametrize("motion", MOTIONS)
def test_twice_the_playback_speed_shows_every_second_frame(motion):
    look = Look.of_group(1, seed=0)
    slow, fast = frames_of(motion, look, 1.0, 9), frames_of(motion, look, 2.0, 5)
    np.testing.assert_array_equal(fast, slow[::2])
    assert np.abs(slow[1:].astype(int) - slow[:-1]).max(axis=(1, 2, 3)).mean() > 20  # something moves


def test_looks_that_share_a_texture_differ_in_shape_and_colours():
    first, second = Look.of_group(1, seed=0), Look.of_group(5, seed=0)
    assert first.texture == second.texture
    assert first.shape != second.shape
    assert first.palette != second.palette
    looks = [Look.of_group(group, seed=0) for group in range(1, 13)]
    assert {(look.texture, look.shape) for look in looks} == {(t, s) for t in TEXTURES for s in SHAPES}


@pytest.fixture(scope="module")
def rendered(tmp_path_factory, short_videos) -> SampleManifest:
    return write_sample_data(tmp_path_factory.mktemp("data") / "rendered", groups=2, programs=3, seed=5)


def test_programs_take_the_place_of_the_motions_that_have_names(rendered: SampleManifest) -> None:
    names = ["Program01", "Program02", "Program03"]
    truth = {(video.motion, video.group, video.playback_speed) for video in rendered.videos}
    assert truth == {(name, group, speed) for name in names for group in (1, 2) for speed in (1.0, 2.0)}
    dataset = scan(rendered.folder)
    assert (dataset.layout, dataset.classes, dataset.leaks, dataset.notes) == ("UCF101", names, {}, [])
    assert set(dataset.families.values()) <= {"figure", "parts"}
    assert {video.motion: video.shape for video in rendered.videos} == dataset.families
    assert read_manifest(rendered.folder) == rendered


def test_a_program_at_twice_the_speed_shows_every_other_frame_and_looks_differ() -> None:
    scenes = ProgramScenes(seed=1, num=4)
    for motion in scenes.families:
        plain, fast = (np.stack(list(scenes.frames(motion, 1, speed, 9, 25))) for speed in (1.0, 2.0))
        assert plain.shape == (9, 128, 128, 3)
        assert np.abs(plain[:9:2].astype(int) - fast[:5]).max() <= 1
        assert (plain[0] != plain[8]).any()
        other = np.stack(list(scenes.frames(motion, 2, 1.0, 9, 25)))
        assert np.abs(plain[0].astype(int) - other[0]).mean() > 20


def test_sample_data_of_programs_is_replaced_by_motions_with_names_and_back(tmp_path: Path) -> None:
    assert len(write_sample_data(tmp_path, groups=2, programs=2).videos) == 8
    before = contents(tmp_path)
    manifest = write_sample_data(tmp_path, groups=2)
    assert {path.name for path in tmp_path.rglob("*.mp4")} == {Path(video.path).name for video in manifest.videos}
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == {*MOTIONS, "ucfTrainTestlist"}
    write_sample_data(tmp_path, groups=2, programs=2)
    assert contents(tmp_path) == before


def test_sample_data_written_before_there_were_programs_are_known(sample: SampleManifest) -> None:
    path = sample.folder / "ground_truth.json"
    text = path.read_text()
    path.write_text(text.replace(' "programs": 0,\n', ""))
    assert "programs" not in json.loads(path.read_text())
    assert read_manifest(sample.folder) == sample
    path.write_text(text)


@pytest.mark.parametrize("programs", [1, 100, -1])
def test_programs_out_of_range_are_refused(tmp_path: Path, programs: int) -> None:
    with pytest.raises(InvalidSetting, match=rf"programs: got {programs}, allowed is 2 to 99"):
        write_sample_data(tmp_path / "new", programs=programs)
    assert not (tmp_path / "new").exists()
