"""Fine-tuning on a labelled folder, as ``rspnet-train finetune`` does it.

    scan -> train side of a fold --ClipLoader--> uint8 clips --augment--> LabelledBatch --Classification--> loss
    run folder: recipe.toml, metrics.jsonl, checkpoints, model.safetensors with its classes

Try it on a CPU in half a minute (`rspnet-index sample-data demo` makes the videos):

    rspnet-train finetune demo --out runs/tuned --recipe small-tsm18 --set epochs=3
"""

import shlex
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from rspnet_core.config import EncoderSpec, Normalisation, SingleSampling
from rspnet_core.errors import DatasetError, InvalidSetting
from rspnet_core.models import BackboneModel, EncoderModel, PartsBackbone, create_backbone_model
from rspnet_core.recognition.classification import Classification, Classifier, make_batch
from rspnet_core.recognition.labelled import LabelledVideos, labelled_videos
from rspnet_core.recognition.recipe import FinetuneRecipe
from rspnet_core.training.batch_norm import shorten_statistics
from rspnet_core.training.decoding import decoding_session
from rspnet_core.training.fabric import prepare
from rspnet_core.training.listener import Listener
from rspnet_core.training.optimiser import optimiser_of
from rspnet_core.training.run import TrainingRun
from rspnet_core.training.run_folder import RunFolder
from rspnet_core.training.schedule import Schedule, StepSchedule, cosine_schedule
from rspnet_core.training.session import Training
from rspnet_core.video.clips.loader import Wanted
from rspnet_core.video.reading.decode import RandomClips
from rspnet_core.video.reading.sandbox import DecodePool
from rspnet_core.weights.checkpoint import describe
from rspnet_core.weights.files import read_spec
from rspnet_core.weights.sources import load_encoder


def finetune(
    data: Path,
    out: Path,
    recipe: FinetuneRecipe,
    *,
    split_lists: Path | None = None,
    resume: bool = False,
    device: str = "auto",
    workers: int | None = None,
    max_unreadable: float = 0.01,
    listener: Listener | None = None,
) -> TrainingRun:
    """Train, or go on with, a run on the train side of the recipe's fold.

    Args:
        data: folder of labelled videos.
        out: the run's folder; with ``resume`` its own recipe.toml is what counts.
        recipe: all settings, the weights to start from among them.
        split_lists: folder of the official lists; None looks in and beside ``data``.
        resume: go on from ``out``'s last checkpoint.
        device: ``auto``, ``cpu`` or ``cuda``.
        workers: decoding processes; None is one on a CPU, and one a core but one on a GPU.
        max_unreadable: part of the videos that may be unreadable, or listed without being there.
        listener: told how it goes; None tells nobody.

    Raises:
        UsageError: settings, lists, classes or devices that do not fit.
        TrainingDiverged: the loss became NaN.
        WeightsError: weights or a checkpoint cannot be read or written.
    """
    with decoding_session(
        out, recipe, resume=resume, device=device, workers=workers, max_unreadable=max_unreadable, listener=listener
    ) as session:
        videos = labelled_videos(data, recipe.fold, split_lists)
        _check_missing(videos, max_unreadable)
        if resume:
            _check_classes(session.folder, videos.classes)
        loader = session.loader(videos.folder, [file.path for file in videos.train], partial(_ask, recipe.sampling))
        schedule = _schedule(recipe, loader.steps_per_epoch)
        classifier, normalisation = build_classifier(recipe, len(videos.classes), schedule.num_steps)
        labels = videos.places(videos.train)
        prepare(session.fabric, classifier)
        to_device = partial(
            make_batch, recipe=recipe, labels=labels, normalisation=normalisation, device=session.fabric.device
        )
        training = Training(
            task=Classification(classifier),
            encoder=classifier.encoder,
            source=session.source(loader, to_device, schedule),
            schedule=schedule,
            new_optimiser=partial(_new_optimiser, recipe),
            spec=partial(_spec, classifier.encoder, recipe, videos, normalisation),
            aim=_aim(recipe, videos),
            next_command=_test_command(data, session.folder),
            notes=videos.notes,
        )
        return session.train(training)


def _ask(sampling: SingleSampling, pool: DecodePool, wanted: Wanted) -> "Future[RandomClips]":
    return pool.random_clip(wanted.path, sampling, wanted.seed)


def _test_command(data: Path, folder: RunFolder) -> str:
    return f"rspnet-train evaluate {shlex.quote(str(data))} --weights {shlex.quote(str(folder.model))}"


def build_classifier(recipe: FinetuneRecipe, num_classes: int, num_steps: int) -> tuple[Classifier, Normalisation]:
    """The recipe's encoder with a new layer of classes, in training mode, and the pixel statistics that it wants.

    All weights trained leave the projection heads behind, as these no longer belong to them; a frozen encoder keeps
    them. Raises UnknownBackbone, WeightsError; InvalidSetting for a backbone in which nothing can be trained.
    """
    encoder: EncoderModel
    if recipe.from_weights:
        encoder, spec = load_encoder(recipe.from_weights, recipe.backbone)
        normalisation = spec.normalisation
    else:
        encoder, normalisation = create_backbone_model(recipe.backbone, seed=recipe.seed), Normalisation()
    if isinstance(encoder.backbone, PartsBackbone):
        raise InvalidSetting(
            f"got backbone {recipe.backbone}, which has no weights: only networks are fine-tuned, such as resnet18; "
            f"measure it as it is with `rspnet-train probe DATA --backbone {recipe.backbone} --knn`"
        )
    if not recipe.freeze:
        encoder = BackboneModel(encoder.backbone)
        shorten_statistics(encoder, num_steps)
    torch.manual_seed(recipe.seed)  # of the new layer and of dropout, recorded by checkpoints
    encoder.add_classifier(num_classes)
    return Classifier(encoder, dropout=recipe.dropout, freeze=recipe.freeze).train(), normalisation


def _new_optimiser(recipe: FinetuneRecipe, module: nn.Module) -> torch.optim.Optimizer:
    assert isinstance(module, Classifier)
    new = list(module.new_layer.parameters())
    rest = [parameter for name, parameter in module.named_parameters() if ".classifier." not in name]
    groups: list[dict[str, Any]] = [{"params": new, "rate_factor": recipe.classifier_rate_factor}]
    return optimiser_of(recipe, groups if recipe.freeze else [*groups, {"params": rest}])


def _schedule(recipe: FinetuneRecipe, steps_per_epoch: int) -> Schedule:
    if recipe.schedule == "cosine":
        return cosine_schedule(recipe, steps_per_epoch)
    milestones = tuple(round(epoch * steps_per_epoch) for epoch in recipe.milestones)
    warmup_steps = round(recipe.warmup_epochs * steps_per_epoch)
    num_steps = recipe.epochs * steps_per_epoch
    return StepSchedule(recipe.peak_rate, recipe.step_factor, milestones, num_steps, warmup_steps)


def _aim(recipe: FinetuneRecipe, videos: LabelledVideos) -> str:
    start = recipe.from_weights or "random weights"
    layers = "the new layer alone" if recipe.freeze else "all layers"
    return f"from {start}, {layers}, {len(videos.classes)} classes of fold {recipe.fold}"


def _spec(
    encoder: EncoderModel, recipe: FinetuneRecipe, videos: LabelledVideos, normalisation: Normalisation, progress: str
) -> EncoderSpec:
    start = f", from {Path(recipe.from_weights).name}" if recipe.from_weights else " from scratch"
    kind = "linear layer trained" if recipe.freeze else "fine-tuned"
    return describe(
        encoder,
        recipe.backbone,
        source=f"{kind} on {videos.folder.resolve().name}, fold {videos.fold}{start}, {progress}",
        trained=True,
        geometry=recipe.geometry,
        normalisation=normalisation,
        classes=videos.classes,
        fold=videos.fold,
    )


def _check_missing(videos: LabelledVideos, allowed: float) -> None:
    missing, listed = videos.missing_train, videos.missing_train + len(videos.train)
    if missing > allowed * listed:
        raise DatasetError(
            f"{missing} of the {listed} train videos of fold {videos.fold} are not in {videos.folder}, "
            f"{allowed:.1%} may be; complete the folder, or raise --max-unreadable"
        )


def _check_classes(folder: RunFolder, classes: tuple[str, ...]) -> None:
    """A resumed run must see the classes that it began with, in their order."""
    if not folder.model.exists():
        return
    spec = read_spec(folder.model)
    if spec.classes != classes:
        raise InvalidSetting(
            f"{folder.path} was begun with {len(spec.classes)} classes, this data has {len(classes)} or others; "
            "give the same DATA and lists, or begin a new run"
        )
