"""Pre-training on unlabelled videos, as ``rspnet-train pretrain`` does it.

                                                                            recipe of
    folder of videos --decoders--+                                     +-- Algorithm 1: RSPNetObjective --+
                                 +-- uint8 clips --BatchMaker-- ViewBatch                                 +-- loss
    store of frames ---by index--+                                     +-- several tasks: JointTask ------+

    run folder: recipe.toml, metrics.jsonl, checkpoints, model.safetensors

Try it on a CPU in half a minute (`rspnet-index sample-data demo` makes the videos):

    rspnet-train pretrain demo --out runs/try --recipe small-tsm18 --set epochs=2
"""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from lightning_fabric import Fabric

from rspnet_core.config import EncoderSpec, Normalisation
from rspnet_core.errors import InvalidSetting
from rspnet_core.models import TwoHeadModel
from rspnet_core.pretext.batches import BatchMaker, Feed
from rspnet_core.pretext.joint_recipe import JointRecipe
from rspnet_core.pretext.learners import build_learner, new_optimiser
from rspnet_core.pretext.recipe import PretrainRecipe
from rspnet_core.pretext.rendered import renderer_of
from rspnet_core.pretext.store import store_feed
from rspnet_core.training.fabric import reduced
from rspnet_core.training.listener import Listener
from rspnet_core.training.run import TrainingRun
from rspnet_core.training.schedule import CosineSchedule, Schedule, TimedCosine, cosine_schedule
from rspnet_core.training.session import Session, Training, open_session
from rspnet_core.video.store.frame_store import is_store
from rspnet_core.weights.checkpoint import describe

if TYPE_CHECKING:
    from rspnet_core.recognition.retrieval import RetrievalPlan

_FEWEST_STEPS = 500
"""That a run of some minutes takes on a GPU; batch norms remember a hundredth of it."""


def pretrain(
    data: Path,
    out: Path,
    recipe: PretrainRecipe | JointRecipe,
    *,
    list_files: list[Path] | None = None,
    resume: bool = False,
    device: str = "auto",
    workers: int | None = None,
    max_unreadable: float = 0.01,
    retrieval: "RetrievalPlan | None" = None,
    keep_every: int | None = None,
    minutes: float | None = None,
    listener: Listener | None = None,
) -> TrainingRun:
    """Train, or go on with, a run.

    Args:
        data: folder of videos, whose labels are not looked at, or a store that ``rspnet-train cache`` wrote.
        out: the run's folder; with ``resume`` its own recipe.toml is what counts.
        recipe: all settings.
        list_files: text files that name videos of ``data``, a path first on each line; None takes all videos.
        resume: go on from ``out``'s last checkpoint.
        device: ``auto``, ``cpu`` or ``cuda``.
        workers: decoding processes; None is one on a CPU, and one a core but one on a GPU.
        max_unreadable: part of the videos that may be unreadable.
        retrieval: labelled videos on which it is measured while training, and which epoch is the best.
        keep_every: keep the encoder of each epoch that this divides, for Figure 3.
        minutes: how long the run may take, over all its resumptions; rate and difficulty follow the clock. None takes
            the recipe's epochs.
        listener: told how it goes; None tells nobody.

    Raises:
        UsageError: settings, lists or devices that do not fit; several processes for several tasks.
        DatasetError: a store that is damaged, or of another frame rate; fewer videos than a batch.
        TrainingDiverged: the loss became NaN.
        WeightsError: a checkpoint cannot be read or written.
    """
    run = partial(_train, data=data, recipe=recipe, minutes=minutes, keep_every=keep_every)
    if is_store(data):
        _refuse(list_files=list_files, workers=workers, retrieval=retrieval)
        session = open_session(out, recipe, resume=resume, device=device, listener=listener)
        _check_processes(recipe, session.fabric)
        return run(session, store_feed(session, data, recipe))
    from rspnet_core.pretext.folder import folder_feed  # not above: these want the decoders to be installed
    from rspnet_core.training.decoding import decoding_session

    with decoding_session(
        out, recipe, resume=resume, device=device, workers=workers, max_unreadable=max_unreadable, listener=listener
    ) as session:
        _check_processes(recipe, session.fabric)
        return run(session, folder_feed(session, data, list_files or [], recipe, retrieval))


def _check_processes(recipe: PretrainRecipe | JointRecipe, fabric: Fabric) -> None:
    if fabric.world_size > 1 and isinstance(recipe, JointRecipe):
        raise InvalidSetting("several tasks at once are learnt by one process; start it without torchrun")


def _refuse(**given: object) -> None:
    told = [name for name, value in given.items() if value is not None]
    if told:
        raise InvalidSetting(f"{', '.join(told)}: not for training on a store; leave it out")


def _train(
    session: Session,
    feed: Feed,
    *,
    data: Path,
    recipe: PretrainRecipe | JointRecipe,
    minutes: float | None,
    keep_every: int | None,
) -> TrainingRun:
    schedule = _schedule(recipe, feed.steps_per_epoch, minutes, session.fabric)
    learner = build_learner(recipe, _FEWEST_STEPS if minutes is not None else schedule.num_steps, session.fabric)
    training = Training(
        task=learner.task,
        encoder=learner.encoder,
        exported=learner.exported,
        source=feed.source(_maker(recipe), schedule),
        schedule=schedule,
        new_optimiser=new_optimiser(recipe),
        spec=partial(_spec, learner.encoder, recipe, data.resolve().name),
        aim=f"by {'+'.join(recipe.objectives)}",
        next_command=f"rspnet-index build VIDEOS --weights {session.folder.model}",
        judge=feed.judge(learner.encoder),
        keep_every=keep_every,
    )
    return session.train(training)


def _maker(recipe: PretrainRecipe | JointRecipe) -> BatchMaker:
    renderer = renderer_of(recipe) if isinstance(recipe, JointRecipe) and recipe.num_programs else None
    return BatchMaker(recipe.view_plan(), recipe.clip_size, renderer)


def _schedule(
    recipe: PretrainRecipe | JointRecipe, steps_per_epoch: int, minutes: float | None, fabric: Fabric
) -> Schedule:
    if isinstance(recipe, PretrainRecipe):
        if minutes is None:
            return cosine_schedule(recipe, steps_per_epoch)
        warmup_steps = round(recipe.warmup_epochs * steps_per_epoch)
    else:
        warmup_steps = recipe.warmup_steps
    if minutes is not None:
        clocks = partial(_mean_of_clocks, fabric)
        return TimedCosine(recipe.peak_rate, recipe.final_rate, minutes, warmup_steps, agree=clocks)
    return CosineSchedule(recipe.peak_rate, recipe.final_rate, recipe.epochs * steps_per_epoch, warmup_steps)


def _mean_of_clocks(fabric: Fabric, seconds: float) -> float:
    """So that no process ends before the others."""
    return seconds if fabric.world_size == 1 else float(reduced(fabric, torch.tensor(seconds), "mean"))


def _spec(model: TwoHeadModel, recipe: PretrainRecipe | JointRecipe, data_name: str, progress: str) -> EncoderSpec:
    return describe(
        model,
        recipe.backbone,
        source=f"pre-trained on {data_name} by {'+'.join(recipe.objectives)}, {progress}",
        trained=True,
        geometry=recipe.embedding_geometry,
        normalisation=Normalisation(),  # what its batches were normalised by, whatever the backbone was made for
    )
