"""Tasks are learnt from clips by an encoder: squares that walk to the right over a shade."""

import numpy as np
import pytest
import torch

from rspnet_core.models import create_model
from rspnet_core.pretext.batches import BatchMaker
from rspnet_core.pretext.joint import JointModel, JointTask
from rspnet_core.pretext.joint_recipe import JointRecipe
from rspnet_core.pretext.store import StoreReader
from rspnet_core.video.store.frame_store import FrameStore
from tests.rspnet_core.pretext.test_views import store_of

NUM, LENGTH, SIDE = 48, 60, 32
STEPS, COUNTED = 60, 20
NEARLY_AS_THEY_ARE = {"min_crop_area": 0.9, "jitter_probability": 0, "grey_probability": 0, "blur_probability": 0}


def walks() -> FrameStore:
    store, rng = store_of([LENGTH] * NUM), np.random.default_rng(0)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    starts, widths = rng.integers(SIDE, size=NUM), rng.integers(3, 7, size=NUM)
    for video, (start, width) in enumerate(zip(starts, widths, strict=True)):
        for frame in range(LENGTH):
            is_square = ((columns - start - frame) % SIDE < width) & (abs(rows - SIDE // 2) < 6)
            picture = np.where(is_square, 255, 4 * (SIDE - 1 - rows)).astype(np.uint8)
            store.frames[video * LENGTH + frame] = torch.from_numpy(picture)[..., None]
    return store


@pytest.mark.slow
@pytest.mark.usefixtures("thin_networks")
@pytest.mark.parametrize(("name", "figure", "chance"), [
    ("cloze", "cloze_accuracy", 1 / 5),
    ("dense_prediction", "dense_prediction_top1", 1 / 16),
])  # fmt: skip
def test_a_task_is_solved_far_above_chance_after_some_steps(name: str, figure: str, chance: float) -> None:
    recipe = JointRecipe.model_validate(
        {
            "backbone": "resnet18",
            "objectives": {name: {}},
            "batch_size": 8,
            "frames_per_clip": 8,
            "clip_size": SIDE,
            "augmentation": NEARLY_AS_THEY_ARE,
        }
    )
    reader = StoreReader(walks(), recipe.sampling, BatchMaker(recipe.view_plan(), recipe.clip_size))
    torch.manual_seed(0)
    task = JointTask(JointModel(create_model("resnet18", seed=0), recipe.objectives).train())
    optimiser, figures = torch.optim.AdamW(task.joint.parameters(), 3e-3), []
    for step in range(STEPS):
        outcome = task.loss(reader.batch(step, 0.0), task.joint)
        optimiser.zero_grad()
        outcome.loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        figures.append(float(outcome.figures[figure]))
    assert np.mean(figures[:5]) < 2 * chance
    assert np.mean(figures[-COUNTED:]) > 2 * chance
