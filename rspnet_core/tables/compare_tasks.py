"""Pretext tasks on one harness: each alone on equal data, steps and seeds, measured alike, beside what is not trained.

OUT/data.json                    what all rows share
   /rotation/seed1/run/          a run of ``pretrain``
                  /scores.json   its measures, video by video: the sign that the row is done
   /tasks.json, tasks.md         the table
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch

from rspnet_core.atomic import replace_text
from rspnet_core.errors import InvalidSetting, RspnetError
from rspnet_core.models import create_model
from rspnet_core.pretext.joint_recipe import JointRecipe
from rspnet_core.pretext.pretrain import pretrain
from rspnet_core.pretext.tasks import OBJECTIVES
from rspnet_core.tables.steps import Step, Stopped, once
from rspnet_core.tables.task_scores import Describer, Scores, by_colour, by_energy, by_network, video_scores
from rspnet_core.training.fabric import choose_machine
from rspnet_core.training.listener import Listener
from rspnet_core.training.recipe_file import load_recipe
from rspnet_core.video.store.frame_store import INDEX, FrameStore, open_store, read_index
from rspnet_core.weights.sources import load_encoder

UNTRAINED = "untrained"
_WITHOUT_NETWORK = {"colour histogram": by_colour, "motion energy": by_energy}
_RENDERED = {"programs", "looks"}


@dataclass(frozen=True)
class Comparison:
    """What is compared, and what all rows share."""

    learnt: Path
    """Store that all tasks learn from, without labels."""
    held_out: Path
    """Store of labelled videos that search."""
    out: Path
    gallery: Path | None = None
    """Store that they search; None: each other. Where videos are in both, their own recording is left out."""
    tasks: tuple[str, ...] = tuple(name for name in OBJECTIVES if name not in _RENDERED)
    """Rows: tasks, or several joined by ``+``, learnt together."""
    seeds: tuple[int, ...] = (1, 2)
    recipe: str = "motion-small"
    """Name or file; its ``[objectives]`` are not used."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Of the recipe; those of a task (``objectives.pace.contrast``) go to its rows alone."""
    num_clips: int = 10
    """Of each video, for retrieval."""
    device: str = "auto"

    def recipe_of(self, row: str, seed: int) -> JointRecipe:
        """The recipe of a row. Raises InvalidSetting."""
        names = row.split("+")
        if unknown := [name for name in names if name not in OBJECTIVES]:
            raise InvalidSetting(f"--task {row}: no task {unknown[0]!r}; have {', '.join(OBJECTIVES)}")
        changes: dict[str, Any] = {"objectives": {name: {} for name in names}}
        for key, value in self.settings.items():
            if not key.startswith("objectives.") or key.split(".")[1] in names:
                changes[key] = value
        if not _RENDERED & set(names):
            changes["num_programs"] = 0
        return load_recipe(JointRecipe, self.recipe, changes | {"seed": seed})

    @property
    def shared(self) -> dict[str, Any]:
        """What all rows of a folder must have in common. Raises DatasetError."""
        stores = {"learnt": self.learnt, "held out": self.held_out, "gallery": self.gallery or self.held_out}
        recipe = self.recipe_of(next(iter(OBJECTIVES)), 0).model_dump(mode="json")
        return {
            "stores": {name: _fingerprint(path) for name, path in stores.items()},
            "recipe": {name: value for name, value in recipe.items() if name not in {"objectives", "num_programs"}},
            "clips": self.num_clips,
        }


def compare_tasks(plan: Comparison, listener: Listener) -> dict[str, dict[int, Scores]]:
    """Scores of each row by seed; those without a network have one. What is done already is not done again.

    Raises:
        Stopped: by Ctrl-C; the same call goes on.
        InvalidSetting: an unknown task or setting, or a folder of rows on other data or with other settings.
        DatasetError: a store that is damaged or does not fit.
    """
    check(plan)
    device = choose_machine(plan.device, "fp32").fabric.device
    learnt, held_out = (open_store(path).on(device) for path in (plan.learnt, plan.held_out))
    stores = learnt, held_out, open_store(plan.gallery).on(device) if plan.gallery else held_out
    found: dict[str, dict[int, Scores]] = {}
    for row, seed, steps, describer in _rows(plan, device, listener):
        listener.say(f"{row}, seed {seed}")
        folder, recipe = plan.out / row / f"seed{seed}", plan.recipe_of(plan.tasks[0], 0)
        folder.mkdir(parents=True, exist_ok=True)
        make = partial(_scored, describer, recipe, stores, plan.num_clips)
        found.setdefault(row, {})[seed] = once(folder / "scores.json", steps, make)
    return found


def _scored(
    describer: Callable[[], Describer],
    recipe: JointRecipe,
    stores: tuple[FrameStore, FrameStore, FrameStore],
    num_clips: int,
) -> Scores:
    return video_scores(describer(), recipe, *stores, num_clips=num_clips)


def check(plan: Comparison) -> None:
    """Raise InvalidSetting for tasks and settings that do not fit, or for other data in ``plan.out``."""
    if told := sorted(plan.settings.keys() & {"seed", "objectives"}):
        raise InvalidSetting(f"--set {told[0]}: rows have seeds and tasks of their own; give --seeds and --task")
    for row in plan.tasks:
        plan.recipe_of(row, plan.seeds[0])
    written, shared = plan.out / "data.json", json.dumps(plan.shared, sort_keys=True)
    try:
        plan.out.mkdir(parents=True, exist_ok=True)
        if not written.exists():
            replace_text(written, shared)
    except OSError as error:
        raise RspnetError(f"cannot write to {plan.out}: {error.strerror}; name another --out") from error
    if json.loads(written.read_text(encoding="utf-8")) != json.loads(shared):
        raise InvalidSetting(
            f"{plan.out} holds rows on other data or with other settings ({written}); give the same ones, or "
            "another --out"
        )


def _rows(
    plan: Comparison, device: torch.device, listener: Listener
) -> Iterator[tuple[str, int, list[Step], Callable[[], Describer]]]:
    """Row, seed, the training that it needs, and how to make what describes clips; seed by seed."""
    for row, make in _WITHOUT_NETWORK.items():
        yield row, 0, [], make
    for seed in plan.seeds:
        backbone = plan.recipe_of(plan.tasks[0], seed).backbone
        yield UNTRAINED, seed, [], partial(_untrained, backbone, seed, device)
        for row in plan.tasks:
            step = Step(plan.out / row / f"seed{seed}" / "run", plan.recipe_of(row, seed))
            yield row, seed, [step], partial(_trained, plan, step, device, listener)


def _untrained(backbone: str, seed: int, device: torch.device) -> Describer:
    return by_network(create_model(backbone, seed=seed).eval().to(device))


def _trained(plan: Comparison, step: Step, device: torch.device, listener: Listener) -> Describer:
    assert isinstance(step.recipe, JointRecipe)
    is_begun = (step.folder / "recipe.toml").exists()
    run = pretrain(plan.learnt, step.folder, step.recipe, resume=is_begun, device=plan.device, listener=listener)
    if run.stopped:
        raise Stopped
    return by_network(load_encoder(str(run.folder.model), None)[0].to(device))


def _fingerprint(store: Path) -> str:
    read_index(store)  # says what is wrong with it
    return hashlib.sha256((store / INDEX).read_bytes()).hexdigest()
