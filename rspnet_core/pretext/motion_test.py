"""What an encoder knows of motion, measured offline on stores of frames that it was not trained on.

retrieval     each video finds others of its class, by part of the vector: in the gallery of another store, or, where
              that holds queries too, in all but its own recording; as it is, with the middle frame repeated, with
              frames shuffled
programs      rendered motion, whose truth is known: the motion head finds the same program in another look before the
              same look in another program, the appearance head the reverse
speed         by a run's own read-outs: which of two clips is the faster, and the triplets of Eq. 2
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from rspnet_core.config import Augmentation, EncoderSpec
from rspnet_core.errors import InvalidSetting
from rspnet_core.models import TwoHeadModel, create_model, project
from rspnet_core.models.pooling import pool_features
from rspnet_core.pretext.batches import BatchMaker
from rspnet_core.pretext.joint import JointModel
from rspnet_core.pretext.joint_recipe import JointRecipe, is_joint
from rspnet_core.pretext.rendered import renderer_of
from rspnet_core.pretext.store import StoreReader
from rspnet_core.pretext.tasks.objective import Seen
from rspnet_core.pretext.tasks.programs import pairs_in_ring
from rspnet_core.progress import Progress, silent
from rspnet_core.training.fabric import choose_machine
from rspnet_core.training.recipe_file import load_recipe
from rspnet_core.training.run_folder import RunFolder
from rspnet_core.training.state import load_modules, read_state
from rspnet_core.video.clips import augment
from rspnet_core.video.clips.draws import Draws, centre_square
from rspnet_core.video.sampling import even_clip_indices
from rspnet_core.video.store.frame_store import FrameStore, open_store
from rspnet_core.weights.files import read_spec

Changed = Literal["as it is", "frozen", "shuffled"]
"""What is done to clips before they are embedded: nothing, the middle frame repeated, frames in another order."""

_UNCHANGED = Augmentation(min_crop_area=1.0, flip=False, jitter_probability=0, grey_probability=0, blur_probability=0)
_CLIPS_AT_ONCE = 120
_VIDEOS_AT_ONCE = 32


@torch.inference_mode()
def embed_store(
    model: TwoHeadModel,
    spec: EncoderSpec,
    store: FrameStore,
    changed: Changed = "as it is",
    advance: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Tensor]:
    """Unit vectors of all videos by the ten-clip protocol (section 4.3), as an index holds them.

    Args:
        model: in eval mode, on the store's device.
        spec: the clips that it sees.
        store: of the spec's frame rate.
        changed: what is done to the clips.
        advance: told how many videos are embedded, and how many there are.

    Returns:
        ``backbone``, ``motion`` and ``appearance``: float32 (videos, D), on the device.
    """
    geometry = spec.geometry
    found: dict[str, list[Tensor]] = {"backbone": [], "motion": [], "appearance": []}
    at_once = max(_CLIPS_AT_ONCE // geometry.num_clips, 1)
    shuffled = np.random.default_rng(0).permutation(geometry.frames_per_clip)
    for first in range(0, len(store.index.videos), at_once):
        videos = store.index.videos[first : first + at_once]
        indices = np.concatenate(
            [
                video.first
                + even_clip_indices(video.frames, geometry.num_clips, geometry.frames_per_clip, geometry.frame_step)
                for video in videos
            ]
        )
        if changed == "frozen":
            indices = np.repeat(indices[:, [indices.shape[1] // 2]], indices.shape[1], axis=1)
        elif changed == "shuffled":
            indices = indices[:, shuffled]
        draws = Draws.of([centre_square(video.aspect) for video in videos for _ in range(geometry.num_clips)])
        clips = augment.apply(store.clips(indices), draws, geometry.size, spec.normalisation)
        with torch.autocast(clips.device.type, torch.bfloat16, enabled=clips.is_cuda):
            features = model.features(clips)
        parts = {"backbone": F.normalize(pool_features(features, "max-mean"), dim=1)}
        parts |= {name: project(features, head) for name, head in model.heads.items()}
        for name, part in parts.items():
            found[name].append(F.normalize(part.view(len(videos), geometry.num_clips, -1).mean(dim=1), dim=1))
        advance(first + len(videos), len(store.index.videos))
    return {name: torch.cat(rows) for name, rows in found.items()}


def centred(queries: Tensor, gallery: Tensor) -> tuple[Tensor, Tensor]:
    """Both less the gallery's mean, to unit length again."""
    mean = gallery.mean(dim=0)
    return F.normalize(queries - mean, dim=1), F.normalize(gallery - mean, dim=1)


@dataclass(frozen=True)
class Labelled:
    """What is known of the videos of a store by their paths."""

    labels: list[str]
    groups: list[str]
    """Recordings; a query never finds its own."""

    @classmethod
    def of(cls, paths: Sequence[str]) -> "Labelled":
        """By UCF101's names (``v_Class_g01_c02``); a video of another name is a recording of its own."""
        labels, groups = [], []
        for path in paths:
            *folders, name = path.split("/")
            parts = name.split("_")
            numbered = [part for part in parts if part[:1] == "g" and part[1:].isdigit()]
            labels.append(folders[-1] if folders else "")
            groups.append(numbered[0] if numbered else path)
        return cls(labels, groups)


def retrieval_hits(
    queries: Tensor, gallery: Tensor, of_queries: Labelled, of_gallery: Labelled, k: int = 1, *, leave_out: bool
) -> Tensor:
    """Bool (queries,): whether one of the k nearest is of the query's class.

    ``leave_out`` takes the query's own recording (and itself) out of the gallery; queries that have no video of their
    class left count as missed.
    """
    similar = queries @ gallery.T
    if leave_out:
        names = {name: place for place, name in enumerate(dict.fromkeys([*of_queries.groups, *of_gallery.groups]))}
        own, theirs = (
            torch.tensor([names[name] for name in side.groups], device=similar.device)
            for side in (of_queries, of_gallery)
        )
        similar = similar.masked_fill(own[:, None] == theirs, -torch.inf)
    nearest = similar.topk(min(k, similar.shape[1]), dim=1).indices.cpu()
    numbers = {name: place for place, name in enumerate(dict.fromkeys([*of_queries.labels, *of_gallery.labels]))}
    wanted = torch.tensor([numbers[name] for name in of_queries.labels])
    have = torch.tensor([numbers[name] for name in of_gallery.labels])
    return (have[nearest] == wanted[:, None]).any(dim=1)


@torch.inference_mode()
def program_scores(
    model: TwoHeadModel, recipe: JointRecipe, store: FrameStore, *, programs: int = 32, rounds: int = 8
) -> dict[str, float]:
    """Per head, on rendered programs and looks of other seeds than training's, parts from 0 to 1.

    How often the partner is the nearest clip, and how often it comes before the one with the other thing in common.
    """
    reader = plain_reader(recipe.model_copy(update={"num_programs": programs}), store, is_rendered=True)
    sums: dict[str, float] = {}
    for number in range(rounds):
        batch = reader.batch(number, progress=1.0)
        clips = batch.of("rendered")
        with torch.autocast(clips.device.type, torch.bfloat16, enabled=clips.is_cuda):
            pooled = model.features(clips).float().mean(dim=(2, 3, 4))
        places = torch.arange(len(clips), device=clips.device)
        for name, shift in (("motion", 0), ("appearance", 1)):
            vectors = F.normalize(model.heads[name](pooled), dim=1)
            similar = (vectors @ vectors.T).fill_diagonal_(-torch.inf)
            partner, neighbour = pairs_in_ring(places, shift), pairs_in_ring(places, 1 - shift)
            own, other = similar[places, partner], similar[places, neighbour]
            for figure, value in (("top1", similar.argmax(dim=1) == partner), ("before_other", own > other)):
                key = f"{name}_{figure}"
                sums[key] = sums.get(key, 0.0) + float(value.float().mean()) / rounds
    return sums


@torch.inference_mode()
def speed_scores(joint: JointModel, recipe: JointRecipe, store: FrameStore, *, rounds: int = 16) -> dict[str, float]:
    """What ``order`` and ``rsp`` say of clips that are not augmented, by the run's own read-outs; parts from 0 to 1."""
    joint.eval()
    reader = plain_reader(recipe, store)
    sums: dict[str, float] = {}
    for number in range(rounds):
        batch = reader.batch(number, progress=0.0)
        with torch.autocast(batch.clips.device.type, torch.bfloat16, enabled=batch.clips.is_cuda):
            maps = joint(batch.clips)
        seen = Seen(maps, batch, joint.heads())
        for name in ("order", "rsp"):
            if name in joint.tasks:
                for figure, value in joint.tasks[name](seen).figures.items():
                    sums[figure] = sums.get(figure, 0.0) + float(value) / rounds
    return sums


def plain_reader(recipe: JointRecipe, store: FrameStore, *, is_rendered: bool = False) -> StoreReader:
    """Reads c_i, c_j and c_k of up to 32 videos at once, not augmented, at places of another seed than training's."""
    num_videos = min(_VIDEOS_AT_ONCE, len(store.index.videos))
    changes = {"augmentation": _UNCHANGED, "batch_size": num_videos, "seed": recipe.seed + 10**6}
    plain = recipe.model_copy(update=changes)
    maker = BatchMaker(plain.plan(covers=None), plain.clip_size, renderer_of(plain) if is_rendered else None)
    return StoreReader(store, plain.sampling, maker)


def motion_test(
    run: Path, stores: list[Path], galleries: list[Path], device: str, progress: Progress = silent
) -> dict[str, Any]:
    """All of it for the encoder of a run, as ``rspnet-train motion-test --json`` prints it.

    Args:
        run: folder of a run on a store.
        stores: of labelled videos.
        galleries: in the order of ``stores``; where there is none, a store searches itself. One that shares videos
            with its store is searched with the query's own recording left out.
        device: ``auto``, ``cpu`` or ``cuda``.
        progress: told of the videos that are embedded.

    Raises:
        UsageError: more galleries than stores, no such device, a run of Algorithm 1's objectives.
        DatasetError: a store is damaged.
        WeightsError: the run has no complete state.
    """
    if len(galleries) > len(stores):
        raise InvalidSetting(f"got {len(galleries)} galleries for {len(stores)} stores; give at most one for each")
    folder = RunFolder(run)
    if not is_joint(str(folder.recipe)):
        raise InvalidSetting(
            f"{run} is no run of tasks of [objectives.NAME] tables on a store of frames, whose read-outs are measured; "
            "measure its weights by `rspnet-train pretext` or `rspnet-index benchmark`"
        )
    recipe = load_recipe(JointRecipe, str(folder.recipe), {})
    joint = JointModel(create_model(recipe.backbone, seed=recipe.seed), recipe.objectives)
    load_modules({"joint": joint}, read_state(folder.last_state)[0])
    spec = read_spec(folder.model)
    target = choose_machine(device, "fp32").fabric.device
    joint.to(target).eval()
    model = joint.exported()
    opened = lru_cache(maxsize=2)(lambda path: open_store(path).on(target))

    @cache
    def embedded(path: Path, changed: Changed) -> dict[str, Tensor]:
        return embed_store(model, spec, opened(path), changed, partial(progress, f"{path.name}, {changed}"))

    documents = []
    for path, gallery in zip_longest(stores, galleries):
        queries, other = opened(path), opened(gallery or path)
        leave_out = queries.index.shares_videos(other.index)
        find = partial(_retrieval, Labelled.of(queries.paths), Labelled.of(other.paths), leave_out=leave_out)
        documents.append(
            {
                "store": path.name,
                "videos": len(queries.index.videos),
                "against": searched(gallery, leave_out=leave_out),
                "retrieval": find(partial(embedded, path), embedded(gallery or path, "as it is")),
                "speed": speed_scores(joint, recipe, queries),
                "programs": program_scores(model, recipe, queries) if recipe.num_programs else {},
            }
        )
    return {"run": str(run), "source": spec.source, "stores": documents}


def searched(gallery: Path | None, *, leave_out: bool) -> str:
    """What is said of the gallery that videos search; None is their own store."""
    parts = [f"against {gallery.name}"] if gallery else []
    return ", ".join([*parts, "own recording left out"] if leave_out else parts)


def _retrieval(
    of_queries: Labelled,
    of_gallery: Labelled,
    embedded: Callable[[Changed], dict[str, Tensor]],
    gallery: dict[str, Tensor],
    *,
    leave_out: bool,
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    changes: tuple[Changed, ...] = ("as it is", "frozen", "shuffled")
    for changed in changes:
        queries = embedded(changed)
        found[changed] = {}
        for part in (*queries, "backbone + motion"):
            own, other = (torch.cat([side[name] for name in part.split(" + ")], dim=1) for side in (queries, gallery))
            pairs = {"plain": (own, other), "centred": centred(own, other)}
            found[changed][part] = {
                name: {
                    str(k): float(retrieval_hits(a, b, of_queries, of_gallery, k, leave_out=leave_out).float().mean())
                    for k in (1, 5)
                }
                for name, (a, b) in pairs.items()
            }
    return found
