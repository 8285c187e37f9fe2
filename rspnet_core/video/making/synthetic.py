"""Labelled synthetic videos in UCF101's layout, made on the spot: nothing to download, and the truth is known.

The class is the motion (``sample_scenes``). A group (g01, g02, ...) is one look, so that every motion exists with every
look, every look with every motion, and each of both at 1x (c01) and 2x (c02) playback speed.
"""

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rspnet_core.errors import DatasetError, InvalidSetting, RspnetError
from rspnet_core.video.making.encode import write_video
from rspnet_core.video.making.sample_scenes import NamedMotions, ProgramScenes, SampleScenes

GROUND_TRUTH = "ground_truth.json"
LISTS = "ucfTrainTestlist"
MAX_GROUPS = 99
MAX_PROGRAMS = 99

_GENERATOR = "rspnet sample data, version 1"
_FPS = 25
_NUM_FRAMES = 75
_SPEEDS = (1.0, 2.0)


@dataclass(frozen=True)
class SampleVideo:
    """The truth about one video."""

    path: str
    """Relative to the folder: ``Spin/v_Spin_g01_c01.mp4``."""
    motion: str
    texture: str
    shape: str
    playback_speed: float
    group: int


@dataclass(frozen=True)
class SampleManifest:
    """What ``ground_truth.json`` records."""

    folder: Path
    seed: int
    groups: int
    programs: int
    """0 where motions are those that have names."""
    videos: tuple[SampleVideo, ...]

    @property
    def num_folds(self) -> int:
        """Three as in UCF101, fewer where there are fewer groups than that."""
        return min(3, self.groups)

    @property
    def scenes(self) -> SampleScenes:
        """What the videos show."""
        return _scenes(self.seed, self.programs)

    def is_test(self, video: SampleVideo, fold: int) -> bool:
        """Fold k tests group k and every fourth after it, so no group stands on both sides."""
        return (video.group - fold) % 4 == 0


def write_sample_data(
    folder: str | os.PathLike[str], *, seed: int = 0, groups: int = 4, programs: int = 0
) -> SampleManifest:
    """Write motions x groups x 2 playback speeds, lists, families and the ground truth.

    Motions are eight that have names, in 160x128 pixels, or so many ``programs``, in 128x128. Videos are 3 s at 25 fps,
    H.264. The same seed gives the same files; what an interrupted run has
    written is kept, and a folder that is complete is left as it is. Sample data of other settings is replaced.

    Args:
        folder: made where absent; must be empty or hold earlier sample data.
        seed: of colours, backgrounds and starting positions, 0 to 2**31 - 1.
        groups: looks, 2 to 99. Four is every texture of the named motions once.
        programs: 2 to 99 motion programs of the seed in place of the named motions; 0 for these.

    Raises:
        InvalidSetting: ``seed``, ``groups`` or ``programs`` out of range.
        DatasetError: the folder holds something else.
        RspnetError: it cannot be written to.

    """
    _check_settings(seed, groups, programs)
    manifest = _plan(Path(folder), seed, groups, programs)
    try:
        earlier = _earlier(manifest.folder)
        if earlier is not None and earlier != manifest:
            for video in earlier.videos:
                path = earlier.folder / video.path
                path.unlink(missing_ok=True)
                with suppress(OSError):  # until nothing is left in it
                    path.parent.rmdir()
        _write_texts(manifest)
        scenes = manifest.scenes
        for video in manifest.videos:
            target = manifest.folder / video.path
            if not target.exists():  # a video is written whole or not at all
                _write_one(target, video, scenes)
    except OSError as error:
        raise RspnetError(f"cannot write sample data to {folder}: {error.strerror}") from error
    return manifest


def _scenes(seed: int, programs: int) -> SampleScenes:
    return ProgramScenes(seed, programs) if programs else NamedMotions(seed)


def _check_settings(seed: int, groups: int, programs: int) -> None:
    if not 2 <= groups <= MAX_GROUPS:
        raise InvalidSetting(f"groups: got {groups}, allowed is 2 (one to train, one to test) to {MAX_GROUPS}")
    if programs != 0 and not 2 <= programs <= MAX_PROGRAMS:
        raise InvalidSetting(f"programs: got {programs}, allowed is 2 to {MAX_PROGRAMS}, or 0 for motions with names")
    if not 0 <= seed < 2**31:
        raise InvalidSetting(f"seed: got {seed}, allowed is 0 to {2**31 - 1}")


def _plan(folder: Path, seed: int, groups: int, programs: int) -> SampleManifest:
    scenes = _scenes(seed, programs)
    videos = []
    for motion in sorted(scenes.families):
        for group in range(1, groups + 1):
            texture, shape = scenes.look(motion, group)
            for clip, speed in enumerate(_SPEEDS, start=1):
                path = f"{motion}/v_{motion}_g{group:02d}_c{clip:02d}.mp4"
                videos.append(SampleVideo(path, motion, texture, shape, speed, group))
    return SampleManifest(folder, seed, groups, programs, tuple(videos))


def _earlier(folder: Path) -> SampleManifest | None:
    """Sample data that is already there, None in a new or an empty folder; DatasetError in any other."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return None
    manifest = read_manifest(folder)
    if manifest is None:
        raise DatasetError(f"{folder} is not empty and holds no earlier sample data; name a new or an empty folder")
    return manifest


def read_manifest(folder: Path) -> SampleManifest | None:
    """What ``write_sample_data`` has written to a folder; None where it holds something else.

    The files are planned anew from seed and numbers, never read from the text.
    """
    try:
        truth: Any = json.loads((folder / GROUND_TRUTH).read_text("utf-8"))
        if truth["generator"] != _GENERATOR:
            return None
        seed, groups, programs = int(truth["seed"]), int(truth["groups"]), int(truth.get("programs", 0))
        _check_settings(seed, groups, programs)
    except (OSError, ValueError, TypeError, KeyError, RecursionError, InvalidSetting):
        return None
    return _plan(folder, seed, groups, programs)


def _write_one(target: Path, video: SampleVideo, scenes: SampleScenes) -> None:
    target.parent.mkdir(exist_ok=True)
    # Both playback speeds start at the same place, so that nothing but the speed differs between c01 and c02.
    frames = scenes.frames(video.motion, video.group, video.playback_speed, _NUM_FRAMES, _FPS)
    write_video(target, frames, fps=_FPS, crf=26)


def _write_texts(manifest: SampleManifest) -> None:
    folder, lists = manifest.folder, manifest.folder / LISTS
    lists.mkdir(parents=True, exist_ok=True)
    truth = {
        "generator": _GENERATOR,
        "seed": manifest.seed,
        "groups": manifest.groups,
        "programs": manifest.programs,
        "fps": _FPS,
        "videos": [asdict(video) for video in manifest.videos],
    }
    _write_text(folder / GROUND_TRUTH, json.dumps(truth, indent=1) + "\n")
    families = manifest.scenes.families
    numbers = {motion: number for number, motion in enumerate(sorted(families), start=1)}
    _write_text(lists / "classInd.txt", "".join(f"{number} {motion}\n" for motion, number in numbers.items()))
    _write_text(lists / "classFamily.csv", "class,family\n" + "".join(f"{m},{families[m]}\n" for m in numbers))
    for fold in range(1, 4):
        sides: dict[str, list[str]] = {"train": [], "test": []}
        for video in manifest.videos:
            if manifest.is_test(video, fold):
                sides["test"].append(f"{video.path}\n")
            else:
                sides["train"].append(f"{video.path} {numbers[video.motion]}\n")
        for side, lines in sides.items():
            target = lists / f"{side}list{fold:02d}.txt"
            if fold <= manifest.num_folds:
                _write_text(target, "".join(lines))
            else:
                target.unlink(missing_ok=True)  # of earlier sample data with more groups


def _write_text(target: Path, text: str) -> None:
    temporary = target.with_name(f".{target.name}.part")
    temporary.write_text(text, "utf-8")
    temporary.replace(target)
