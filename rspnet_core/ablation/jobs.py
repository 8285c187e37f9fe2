"""One row of a table, run: pre-training, fine-tuning and test, each resumed or left out where it is done already.

OUT/rsp-avid.resnet18/seed0/pretrain/          a run of ``pretrain``
                           /finetune-f1/       a run of ``finetune``
                           /fold1.json         its test, the sign that all before is done
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from rspnet_core.ablation.rows import Row
from rspnet_core.atomic import replaced_when_complete
from rspnet_core.errors import InvalidSetting
from rspnet_core.evaluate import evaluate, retrieve
from rspnet_core.finetune import finetune
from rspnet_core.finetune_recipe import FinetuneRecipe
from rspnet_core.listener import Listener
from rspnet_core.pretrain import pretrain
from rspnet_core.pretrain_recipe import PretrainRecipe
from rspnet_core.recipe import TrainRecipe
from rspnet_core.recipe_file import load_recipe, to_toml
from rspnet_core.training.run import TrainingRun

Document = dict[str, Any]


class Stopped(Exception):
    """Ctrl-C or SIGTERM ended a run; its state is saved."""


@dataclass(frozen=True)
class Plan:
    """What all rows of a table share."""

    unlabelled: Path
    labelled: Path
    out: Path
    folds: tuple[int, ...] = (1,)
    seeds: tuple[int, ...] = (0,)
    pretrain_recipe: str | None = None
    """Name or file; None takes ``k100-BACKBONE``."""
    finetune_recipe: str | None = None
    """Name or file; None takes ``ucf101-BACKBONE``."""
    pretrain_settings: dict[str, Any] = field(default_factory=dict)
    finetune_settings: dict[str, Any] = field(default_factory=dict)
    list_files: tuple[Path, ...] = ()
    """Which videos of ``unlabelled`` are learnt from; empty takes all."""
    split_lists: Path | None = None
    device: str = "auto"
    workers: int | None = None

    def pretrained(self, row: Row, seed: int) -> PretrainRecipe:
        """The recipe of a row's pre-training. Raises InvalidSetting."""
        changes = {"backbone": row.backbone, "objectives": list(row.objectives), "seed": seed}
        name = self.pretrain_recipe or f"k100-{row.backbone}"
        return load_recipe(PretrainRecipe, name, self.pretrain_settings | changes)

    def finetuned(self, row: Row, seed: int, fold: int, weights: str) -> FinetuneRecipe:
        """The recipe of its fine-tuning. Raises InvalidSetting."""
        backbone = row.supervised_weights or row.backbone
        changes = {"backbone": backbone, "from_weights": weights, "seed": seed, "fold": fold}
        name = self.finetune_recipe or f"ucf101-{row.backbone}"
        return load_recipe(FinetuneRecipe, name, self.finetune_settings | changes)


def check(plan: Plan, rows: list[Row]) -> None:
    """Raise InvalidSetting for recipes that do not fit, before anything is run."""
    for row in rows:
        if row.objectives:
            plan.pretrained(row, plan.seeds[0])
        plan.finetuned(row, plan.seeds[0], plan.folds[0], "")


def run_row(plan: Plan, row: Row, seed: int, listener: Listener) -> list[Document]:
    """Tests of a row by one seed, one a fold. Raises Stopped, WeightsError (weights that cannot be had)."""
    weights = row.supervised_weights or _pretrained(plan, row, seed, listener)
    return [_finetuned(plan, row, seed, fold, weights, listener) for fold in plan.folds]


def run_retrieval(plan: Plan, row: Row, seed: int, listener: Listener) -> list[Document]:
    """The same for retrieval (section 4.3), which needs no fine-tuning."""
    weights = _pretrained(plan, row, seed, listener)
    folder = _folder(plan, row, seed)

    def test(fold: int) -> Document:
        return retrieve(
            plan.labelled, weights, fold=fold, split_lists=plan.split_lists, device=plan.device, workers=plan.workers
        )

    return [_once(folder / f"retrieval{fold}.json", partial(test, fold)) for fold in plan.folds]


def finetuned_from(plan: Plan, row: Row, weights: Path, folder: Path, listener: Listener) -> Document:
    """The test of weights of any kind, fine-tuned in ``folder`` by the plan's first seed and fold."""
    return _tested(plan, plan.finetuned(row, plan.seeds[0], plan.folds[0], str(weights)), folder, listener)


def _folder(plan: Plan, row: Row, seed: int) -> Path:
    return plan.out / row.name / f"seed{seed}"


def _pretrained(plan: Plan, row: Row, seed: int, listener: Listener) -> str:
    """Where the weights of a finished pre-training are; empty where the row has none."""
    if not row.objectives:
        return ""
    folder, recipe = _folder(plan, row, seed) / "pretrain", plan.pretrained(row, seed)

    def train(resume: bool) -> TrainingRun:
        return pretrain(
            plan.unlabelled,
            folder,
            recipe,
            list_files=list(plan.list_files),
            resume=resume,
            device=plan.device,
            workers=plan.workers,
            listener=listener,
        )

    return trained(folder, recipe, train)


def _finetuned(plan: Plan, row: Row, seed: int, fold: int, weights: str, listener: Listener) -> Document:
    folder = _folder(plan, row, seed)
    recipe = plan.finetuned(row, seed, fold, weights)
    return _once(folder / f"fold{fold}.json", lambda: _tested(plan, recipe, folder / f"finetune-f{fold}", listener))


def _tested(plan: Plan, recipe: FinetuneRecipe, folder: Path, listener: Listener) -> Document:
    def train(resume: bool) -> TrainingRun:
        return finetune(
            plan.labelled,
            folder,
            recipe,
            split_lists=plan.split_lists,
            resume=resume,
            device=plan.device,
            workers=plan.workers,
            listener=listener,
        )

    weights = trained(folder, recipe, train)
    (found,) = evaluate(
        plan.labelled,
        [weights],
        split_lists=plan.split_lists,
        device=plan.device,
        workers=plan.workers,
        listener=listener,
    )
    return found


def trained(folder: Path, recipe: TrainRecipe, train: Callable[[bool], TrainingRun]) -> str:
    """The weights of a run that is complete, after going on with it where it was cut.

    Raises InvalidSetting when the folder holds a run of another recipe, Stopped when it is stopped.
    """
    written = folder / "recipe.toml"
    resume = written.exists()
    if resume and written.read_text(encoding="utf-8") != to_toml(recipe):
        raise InvalidSetting(f"{folder} was begun with other settings; give the same ones, or another --out")
    run = train(resume)
    if run.stopped:
        raise Stopped
    return str(run.folder.model)


def _once(path: Path, make: Callable[[], Document]) -> Document:
    """What ``path`` holds, made first if it is not there."""
    if not path.exists():
        found = make()
        with replaced_when_complete(path) as temporary:
            temporary.write_text(json.dumps(found), encoding="utf-8")
    document: Document = json.loads(path.read_text(encoding="utf-8"))
    return document
