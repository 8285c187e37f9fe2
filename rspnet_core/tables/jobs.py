"""One row of a table, run: pre-training, fine-tuning and test, each resumed or left out where it is done already.

OUT/rsp-avid.resnet18/seed0/pretrain/          a run of ``pretrain``
                           /finetune-f1/       a run of ``finetune``
                           /fold1.json         its test, the sign that all before is done
"""

import json
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from rspnet_core.atomic import replace_text
from rspnet_core.errors import InvalidSetting, RspnetError
from rspnet_core.pretext.pretrain import pretrain
from rspnet_core.pretext.recipe import PretrainRecipe
from rspnet_core.recognition.evaluate import evaluate, retrieve
from rspnet_core.recognition.finetune import finetune
from rspnet_core.recognition.recipe import FinetuneRecipe
from rspnet_core.tables.rows import Row
from rspnet_core.tables.steps import Document, Step, Stopped, once
from rspnet_core.training.listener import Listener
from rspnet_core.training.recipe_file import load_recipe
from rspnet_core.training.run_folder import RunFolder


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
    keep_every: int | None = None
    """Epochs between two encoders of a pre-training that are kept."""
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

    @property
    def data(self) -> Document:
        """What no recipe says, but all runs of a folder must share."""
        paths = (self.unlabelled, self.labelled, *self.list_files, *([self.split_lists] if self.split_lists else []))
        return {"paths": [str(path.resolve()) for path in paths], "keep_every": self.keep_every}


def check(plan: Plan, rows: list[Row]) -> None:
    """Raise InvalidSetting for recipes that do not fit, or for other data in ``plan.out``, before anything is run."""
    written = plan.out / "data.json"
    try:
        plan.out.mkdir(parents=True, exist_ok=True)
        if not written.exists():
            replace_text(written, json.dumps(plan.data))
    except OSError as error:
        raise RspnetError(f"cannot write to {plan.out}: {error.strerror}; name another --out") from error
    if json.loads(written.read_text(encoding="utf-8")) != plan.data:
        raise InvalidSetting(f"{plan.out} holds runs on other data ({written}); give the same data, or another --out")
    for row in rows:
        if row.objectives:
            plan.pretrained(row, plan.seeds[0])
        plan.finetuned(row, plan.seeds[0], plan.folds[0], "")


def run_row(plan: Plan, row: Row, seed: int, listener: Listener) -> list[Document]:
    """Tests of a row by one seed, one a fold; what is done already is not done again.

    Raises Stopped, WeightsError (weights that cannot be had), InvalidSetting (done with other settings).
    """
    return [_test_of_fold(plan, row, seed, fold, listener) for fold in plan.folds]


def run_retrieval(plan: Plan, row: Row, seed: int, listener: Listener) -> list[Document]:
    """The same for retrieval (section 4.3), which needs no fine-tuning."""
    first = _pretraining(plan, row, seed)

    def test(fold: int) -> Document:
        weights = carry_on(plan, first, listener)
        return retrieve(
            plan.labelled, weights, fold=fold, split_lists=plan.split_lists, device=plan.device, workers=plan.workers
        )

    folder = plan.out / row.name / f"seed{seed}"
    return [once(folder / f"retrieval{fold}.json", [first], partial(test, fold)) for fold in plan.folds]


def carry_on(plan: Plan, step: Step, listener: Listener) -> str:
    """Begin or go on with a run; gives where its weights are. Raises Stopped when it is stopped."""
    step.check()
    common: dict[str, Any] = {
        "resume": (step.folder / "recipe.toml").exists(),
        "device": plan.device,
        "workers": plan.workers,
        "listener": listener,
    }
    if isinstance(step.recipe, FinetuneRecipe):
        run = finetune(plan.labelled, step.folder, step.recipe, split_lists=plan.split_lists, **common)
    else:
        assert isinstance(step.recipe, PretrainRecipe)
        lists = list(plan.list_files)
        run = pretrain(
            plan.unlabelled, step.folder, step.recipe, list_files=lists, keep_every=plan.keep_every, **common
        )
    if run.stopped:
        raise Stopped
    return str(run.folder.model)


def tested(plan: Plan, step: Step, listener: Listener) -> Document:
    """Fine-tune and test. Raises as ``run_row``."""
    weights = carry_on(plan, step, listener)
    (found,) = evaluate(
        plan.labelled,
        [weights],
        split_lists=plan.split_lists,
        device=plan.device,
        workers=plan.workers,
        listener=listener,
    )
    return found


def _pretraining(plan: Plan, row: Row, seed: int) -> Step:
    return Step(plan.out / row.name / f"seed{seed}" / "pretrain", plan.pretrained(row, seed))


def _test_of_fold(plan: Plan, row: Row, seed: int, fold: int, listener: Listener) -> Document:
    folder = plan.out / row.name / f"seed{seed}"
    steps = [_pretraining(plan, row, seed)] if row.objectives else []
    weights = str(RunFolder(steps[0].folder).model.resolve()) if steps else row.supervised_weights
    last = Step(folder / f"finetune-f{fold}", plan.finetuned(row, seed, fold, weights))

    def make() -> Document:
        for step in steps:
            carry_on(plan, step, listener)
        return tested(plan, last, listener)

    return once(folder / f"fold{fold}.json", [*steps, last], make)
