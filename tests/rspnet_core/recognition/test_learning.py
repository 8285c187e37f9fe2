"""Fine-tuning learns what it is shown, by a network of full width."""

from pathlib import Path

import pytest

from rspnet_core.recognition.finetune import finetune
from tests.rspnet_core.recognition.test_finetune import recipe


@pytest.mark.slow
def test_classes_are_learnt(sample_videos: Path, tmp_path: Path) -> None:
    chosen = recipe(epochs=25, dropout=0.0, clip_size=32, augmentation={"flip": False, "jitter_probability": 0})
    run = finetune(sample_videos, tmp_path / "run", chosen, device="cpu")
    assert run.figures["clip_top1"] > 0.5  # of training clips; 1/8 is chance
    assert run.figures["loss"] < 1.5
