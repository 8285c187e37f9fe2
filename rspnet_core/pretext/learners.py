"""What a recipe trains: Algorithm 1's two encoders and queue, or several tasks upon one encoder."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import nn

from rspnet_core.errors import InvalidSetting
from rspnet_core.models import TwoHeadModel, create_model
from rspnet_core.models.outside import is_import_path
from rspnet_core.pretext.joint import JointModel, JointTask
from rspnet_core.pretext.joint_recipe import JointRecipe
from rspnet_core.pretext.objective import RSPNetObjective
from rspnet_core.pretext.recipe import PretrainRecipe
from rspnet_core.training.batch_norm import shorten_statistics
from rspnet_core.training.fabric import gather_in_order, prepare
from rspnet_core.training.optimiser import optimiser_of
from rspnet_core.training.recipe import TrainRecipe
from rspnet_core.training.task import Task
from rspnet_core.weights.sources import load_encoder


@dataclass(frozen=True)
class Learner:
    """What is trained, on its device."""

    task: Task[Any]
    encoder: TwoHeadModel
    """What of the task is kept in the end."""
    exported: Callable[[], TwoHeadModel] | None = None
    """Makes what is written of it; None writes the encoder as it is."""


def build_learner(recipe: PretrainRecipe | JointRecipe, num_steps: int, fabric: Fabric) -> Learner:
    """Of a run of so many steps; raises as ``build_objective`` does."""
    if isinstance(recipe, PretrainRecipe):
        objective = on_device(build_objective(recipe, num_steps), fabric)
        return Learner(objective, objective.query.model)
    torch.manual_seed(recipe.seed)
    joint = JointModel(create_model(recipe.backbone, seed=recipe.seed), recipe.objectives)
    shorten_statistics(joint, num_steps)
    prepare(fabric, joint)
    return Learner(JointTask(joint.train()), joint.model, joint.exported)


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


def on_device(objective: RSPNetObjective, fabric: Fabric) -> RSPNetObjective:
    """The objective, moved to the device of ``fabric`` and spanning its processes."""
    for module in objective.modules.values():
        prepare(fabric, module)
    if fabric.world_size > 1:
        objective.gather = gather_in_order
    return objective


def new_optimiser(recipe: TrainRecipe) -> Callable[[nn.Module], torch.optim.Optimizer]:
    """Makes the recipe's optimiser of a module's parameters."""
    return lambda module: optimiser_of(recipe, module.parameters())
