"""How well an encoder solves the pretext task on videos that it has not seen: no augmentation, no training.

speed ranking    three clips of a video, s_i = s_j != s_k: is m_i nearer to m_j than to m_k?   (Eq. 2)
head ranking     sample videos, whose truth is known: of a video's two relatives, one of the same motion with
                 another texture and one of the same look with another motion, which one does a head find nearer?
"""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from rspnet_core.ahead import asked_ahead
from rspnet_core.config import Augmentation, EncoderSpec, ViewSampling
from rspnet_core.errors import DatasetError, VideoError
from rspnet_core.models import TwoHeadModel
from rspnet_core.models.features import clip_features
from rspnet_core.models.two_head import project
from rspnet_core.pretext.losses import speed_gaps
from rspnet_core.pretext.views import ViewPlan
from rspnet_core.progress import Progress, silent
from rspnet_core.video.clips import augment
from rspnet_core.video.clips.draws import centre_square
from rspnet_core.video.clips.video_rows import video_rows
from rspnet_core.video.datasets.listed import listed_videos
from rspnet_core.video.making.synthetic import SampleManifest, SampleVideo, read_manifest
from rspnet_core.video.reading.decode import RandomClips
from rspnet_core.video.reading.sandbox import DecodePool
from rspnet_core.video.sampling import View

_BOOTSTRAP_SAMPLES = 2000
_VIDEOS_AHEAD = 4


@dataclass(frozen=True)
class PretextScores:
    """What was found, as parts from 0 to 1."""

    ranked: NDArray[np.float64]
    """Per video (n,): of its triplets, how many are ranked rightly."""
    motion_before_look: dict[str, float]
    """Per head: how often same motion, other texture comes before same look, other motion. Empty without the truth."""
    unreadable: dict[str, str]
    """Path -> reason."""

    def document(self) -> dict[str, Any]:
        """What ``rspnet-train pretext --json`` prints."""
        return {
            "videos": len(self.ranked),
            "speed_ranking": float(self.ranked.mean()),
            "speed_ranking_95": list(self.interval()),
            "motion_before_look": self.motion_before_look,
            "unreadable": [{"path": path, "reason": reason} for path, reason in self.unreadable.items()],
        }

    def interval(self) -> tuple[float, float]:
        """95 % of the mean over videos, by bootstrap."""
        draws = np.random.default_rng(0).integers(len(self.ranked), size=(_BOOTSTRAP_SAMPLES, len(self.ranked)))
        low, high = np.percentile(self.ranked[draws].mean(axis=1), (2.5, 97.5))
        return float(low), float(high)


def evaluate_pretext(
    model: TwoHeadModel,
    spec: EncoderSpec,
    data: Path,
    pool: DecodePool,
    *,
    list_files: list[Path] | None = None,
    triplets: int = 4,
    say: Callable[[str], None] = lambda line: None,
    progress: Progress = silent,
) -> PretextScores:
    """Measure both rankings on the videos of a folder.

    Args:
        model: in eval mode, with both heads.
        spec: the clips that it sees; ``frame_step`` is that of speed 1.
        data: folder of videos.
        pool: decodes.
        list_files: lists of the videos to take; None takes all.
        triplets: draws a video.
        say: told of lines of the lists that name no video.
        progress: told after each video.

    Raises:
        DatasetError: no video can be read, or lists name none of them.
    """
    paths = listed_videos(data, list_files or [], say)
    sampling = ViewSampling(
        frames_per_clip=spec.geometry.frames_per_clip,
        frame_step=spec.geometry.frame_step,
        fps=spec.geometry.fps,
        frame_size=2 * spec.geometry.size,  # wide enough for the centred square to be made smaller, not larger
    )

    drawn = [ViewPlan(len(paths), (1, 2), "independent", Augmentation(), seed=0).drawn(n) for n in range(triplets)]

    def ask(video: int) -> list[Future[RandomClips]]:
        return [
            pool.views(data / paths[video], sampling, [View(*view) for view in each.views[video]]) for each in drawn
        ]

    ranked: dict[str, float] = {}
    unreadable: dict[str, str] = {}
    for video, futures in asked_ahead(range(len(paths)), ask, _VIDEOS_AHEAD):
        progress("speeds ranked", video, len(paths))
        try:
            clips = [future.result() for future in futures]
        except VideoError as error:
            unreadable[paths[video]] = str(error)
        else:
            is_fast = [each.anchor_is_fast[video] for each in drawn]
            ranked[paths[video]] = float(
                np.mean([_is_ranked_rightly(model, spec, *each) for each in zip(clips, is_fast, strict=True)])
            )
    progress("speeds ranked", len(paths), len(paths))
    if not ranked:
        raise DatasetError(f"no video of {data} can be read; give a folder of videos")
    manifest = read_manifest(data)
    relatives = {}
    if manifest is not None:
        relatives = motion_before_look(_head_vectors(model, spec, data, list(ranked), pool), manifest)
    return PretextScores(np.array(list(ranked.values())), relatives, unreadable)


@torch.inference_mode()
def _is_ranked_rightly(model: TwoHeadModel, spec: EncoderSpec, clips: RandomClips, anchor_is_fast: bool) -> bool:
    draws = [centre_square(clips.aspect)] * 3
    frames = torch.from_numpy(clips.frames).to(next(model.parameters()).device)
    motions = model(augment.apply(frames, draws, spec.geometry.size, spec.normalisation)).motion
    anchor, slow, fast = motions.split(1)
    same, other = (fast, slow) if anchor_is_fast else (slow, fast)
    return bool(speed_gaps(anchor, same, other) > 0)


def _head_vectors(
    model: TwoHeadModel, spec: EncoderSpec, data: Path, paths: list[str], pool: DecodePool
) -> dict[str, dict[str, Tensor]]:
    """Head -> path -> unit vector (128,) of a video: the mean of its clips'."""

    def both(clips: NDArray[np.uint8]) -> Tensor:
        features = clip_features(model, clips, spec.normalisation)
        means = [project(features, layer).mean(dim=0) for layer in model.heads.values()]
        return torch.cat([F.normalize(mean, dim=0) for mean in means])

    rows, _ = video_rows(data, paths, spec.geometry, pool, both)
    parts = {path: torch.from_numpy(row).chunk(len(model.heads)) for path, row in rows.items()}
    return {head: {path: part[place] for path, part in parts.items()} for place, head in enumerate(model.heads)}


def motion_before_look(vectors: dict[str, dict[str, Tensor]], manifest: SampleManifest) -> dict[str, float]:
    """Per head, the part (0 to 1) of comparisons that same motion, other texture wins over same look, other motion.

    Args:
        vectors: head -> path -> unit vector (D,); videos without one are left out.
        manifest: the truth. Relatives play at the speed of the video itself.
    """
    found = {}
    for head, by_path in vectors.items():
        videos = [video for video in manifest.videos if video.path in by_path]
        speed, motion, texture, group = (
            _is_equal(videos, name) for name in ("playback_speed", "motion", "texture", "group")
        )
        by_motion, by_look = speed & motion & ~texture, speed & group & ~motion
        stacked = torch.stack([by_path[video.path] for video in videos])
        similar = (stacked @ stacked.T).numpy()
        wins = [
            np.mean(row[moves][:, None] > row[looks])
            for row, moves, looks in zip(similar, by_motion, by_look, strict=True)
            if moves.any() and looks.any()
        ]
        if wins:
            found[head] = float(np.mean(wins))
    return found


def _is_equal(videos: list[SampleVideo], name: str) -> NDArray[np.bool_]:
    """Bool (n, n): which pairs of videos agree in one thing."""
    values = np.array([getattr(video, name) for video in videos])
    equal: NDArray[np.bool_] = values[:, None] == values
    return equal
