"""Pre-training on a folder of unlabelled videos, as ``rspnet-train pretrain`` does it.

    scan -> files --ClipLoader--> uint8 clips --augment, on the device--> SpeedBatch --RSPNetObjective--> loss
    run folder: recipe.toml, metrics.jsonl, checkpoints, model.safetensors

Try it on a CPU in half a minute (`rspnet-index sample-data demo` makes the videos):

    rspnet-train pretrain demo --out runs/try --recipe small-tsm18 --set epochs=2
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import nn

from rspnet_core.config import ClipGeometry, EncoderSpec, Normalisation
from rspnet_core.errors import InvalidSetting
from rspnet_core.models import TwoHeadModel, create_model
from rspnet_core.models.outside import is_import_path
from rspnet_core.pretext.batches import make_batch
from rspnet_core.pretext.objective import RSPNetObjective
from rspnet_core.pretext.recipe import PretrainRecipe
from rspnet_core.recognition.retrieval import RetrievalPlan, retrieval_judge
from rspnet_core.training.batch_norm import shorten_statistics
from rspnet_core.training.decoding import DecodingSession, decoding_session
from rspnet_core.training.fabric import gather_in_order, prepare
from rspnet_core.training.listener import Listener
from rspnet_core.training.optimiser import optimiser_of
from rspnet_core.training.run import TrainingRun
from rspnet_core.training.schedule import cosine_schedule
from rspnet_core.training.session import Training
from rspnet_core.training.task import Judgement, no_judgement
from rspnet_core.video.datasets.dataset import listed_videos
from rspnet_core.weights.checkpoint import describe
from rspnet_core.weights.sources import load_encoder


def build_objective(recipe: PretrainRecipe, num_steps: int) -> RSPNetObjective:
    """The objective of a recipe with new weights of its seed, or with those that it starts from.

    Raises UnknownBackbone, WeightsError, InvalidSetting (weights of another backbone, or without heads).
    """
    model = _loaded(recipe) if recipe.from_weights else _new(recipe)
    shorten_statistics(model, num_steps)
    torch.manual_seed(recipe.seed)  # of what is new here, and recorded by checkpoints
    return RSPNetObjective(model.train(), recipe)


def _new(recipe: PretrainRecipe) -> TwoHeadModel:
    return create_model(recipe.backbone, seed=recipe.seed, head=recipe.head)


def _loaded(recipe: PretrainRecipe) -> TwoHeadModel:
    named = recipe.backbone if is_import_path(recipe.backbone) else None
    model, spec = load_encoder(recipe.from_weights, named)
    if not isinstance(model, TwoHeadModel) or spec.backbone != recipe.backbone or spec.head != recipe.head:
        raise InvalidSetting(
            f"{recipe.from_weights} is {spec.backbone} with {spec.head if model.heads else 'no'} heads, the recipe "
            f"wants {recipe.backbone} with {recipe.head} heads; give other weights, or --backbone and --set head=..."
        )
    model.classifier = None  # of a fine-tuned encoder
    return model.requires_grad_(True)


def pretrain(
    data: Path,
    out: Path,
    recipe: PretrainRecipe,
    *,
    list_files: list[Path] | None = None,
    resume: bool = False,
    device: str = "auto",
    workers: int | None = None,
    max_unreadable: float = 0.01,
    retrieval: RetrievalPlan | None = None,
    keep_every: int | None = None,
    listener: Listener | None = None,
) -> TrainingRun:
    """Train, or go on with, a run.

    Args:
        data: folder of videos; labels are not looked at.
        out: the run's folder; with ``resume`` its own recipe.toml is what counts.
        recipe: all settings.
        list_files: text files that name videos of ``data``, a path first on each line; None takes all videos.
        resume: go on from ``out``'s last checkpoint.
        device: ``auto``, ``cpu`` or ``cuda``.
        workers: decoding processes; None is one on a CPU, and one a core but one on a GPU.
        max_unreadable: part of the videos that may be unreadable.
        retrieval: labelled videos on which it is measured while training, and which epoch is the best.
        keep_every: keep the encoder of each epoch that this divides, for Figure 3.
        listener: told how it goes; None tells nobody.

    Raises:
        UsageError: settings, lists or devices that do not fit.
        TrainingDiverged: the loss became NaN.
        WeightsError: a checkpoint cannot be read or written.
    """
    with decoding_session(
        out, recipe, resume=resume, device=device, workers=workers, max_unreadable=max_unreadable, listener=listener
    ) as session:
        fabric = session.fabric
        loader = session.loader(data, listed_videos(data, list_files or []), recipe.sampling)
        schedule = cosine_schedule(recipe, loader.steps_per_epoch)
        objective = on_device(build_objective(recipe, schedule.num_steps), fabric)
        model = objective.query.model
        training = Training(
            task=objective,
            encoder=model,
            source=session.source(loader, partial(make_batch, recipe=recipe, device=fabric.device)),
            schedule=schedule,
            new_optimiser=new_optimiser(recipe),
            spec=partial(_spec, model, recipe, data.resolve().name),
            aim=f"by {'+'.join(recipe.objectives)}",
            next_command=f"rspnet-index build VIDEOS --weights {session.folder.model}",
            judge=_judge(retrieval, model, recipe, session),
            keep_every=keep_every,
        )
        return session.train(training)


def _judge(
    plan: RetrievalPlan | None, model: TwoHeadModel, recipe: PretrainRecipe, session: DecodingSession
) -> Callable[[int], Judgement]:
    if plan is None:
        return no_judgement
    return retrieval_judge(plan, model, clip_geometry(recipe), session.fabric, session.pool)


def _spec(model: TwoHeadModel, recipe: PretrainRecipe, data_name: str, progress: str) -> EncoderSpec:
    source = f"pre-trained on {data_name} by {'+'.join(recipe.objectives)}, {progress}"
    return describe(
        model,
        recipe.backbone,
        source=source,
        trained=True,
        geometry=clip_geometry(recipe),
        normalisation=Normalisation(),  # what its batches were normalised by, whatever the backbone was made for
    )


def clip_geometry(recipe: PretrainRecipe) -> ClipGeometry:
    """The clips that the encoder of a recipe sees when it embeds: ten, at the first playback speed."""
    return ClipGeometry(
        frames_per_clip=recipe.frames_per_clip,
        frame_step=recipe.frame_step * recipe.speeds[0],
        size=recipe.clip_size,
        fps=recipe.fps,
    )


def on_device(objective: RSPNetObjective, fabric: Fabric) -> RSPNetObjective:
    """The objective, moved to the device of ``fabric`` and spanning its processes."""
    for module in objective.modules.values():
        prepare(fabric, module)
    if fabric.world_size > 1:
        objective.gather = gather_in_order
    return objective


def new_optimiser(recipe: PretrainRecipe) -> Callable[[nn.Module], torch.optim.Optimizer]:
    """Makes the recipe's optimiser of a module's parameters."""
    return lambda module: optimiser_of(recipe, module.parameters())
