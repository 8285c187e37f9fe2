"""The app over a library whose encoder is somebody's own code, which only the one who serves it can name."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app.session.services import Services
from indexer.ingest.build import build_library
from indexer.retrieval.search import PartWeights
from rspnet_core.errors import WeightsError
from tests.app.conftest import EDITOR

CODE = """
import torch
from rspnet_core.config import ClipGeometry

def strided():
    torch.manual_seed(3)
    return torch.nn.Conv3d(3, 8, 3, stride=2, padding=1), ClipGeometry(num_clips=2, frames_per_clip=4, size=32)
"""
NAME = "served_strides:strided"


@pytest.fixture
def library(few_videos: Path, module_of: Callable[[str, str], Path]) -> Path:
    module_of("served_strides", CODE)
    build_library(few_videos, backbone=NAME, device="cpu")
    sys.modules.pop("served_strides")
    return few_videos


def test_uploads_are_embedded_explained_and_added_by_code_that_was_named(library: Path, new_video: Path) -> None:
    with Services(library, device="cpu", backbone=NAME) as services:
        handle = services.embed(EDITOR, new_video)
        found = services.rank(handle, PartWeights())
        assert len(found.hits) == 4
        assert set(services.explain(handle, found.hits[0].id).cosines) == {"backbone"}
        shutil.copy(new_video, library / "new.mp4")
        services.builder.start(EDITOR, library)
        status = services.builder.wait(60)
        assert (status.phase, status.indexed, status.failed) == ("done", 1, [])


def test_without_its_name_the_library_is_searched_by_id_and_no_code_is_imported(library: Path, new_video: Path) -> None:
    with Services(library, device="cpu") as services:
        services.warm_up()
        stored = services.stored(services.videos(limit=1)[0].id)
        assert len(services.rank(stored, PartWeights()).hits) == 4
        with pytest.raises(WeightsError, match=f"name it yourself: --backbone {NAME}") as refused:
            services.embed(EDITOR, new_video)
        assert str(library) not in str(refused.value)
        assert "served_strides" not in sys.modules
