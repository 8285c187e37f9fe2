"""The Library tab's copies: known groups, those that leak first, names as text."""

import shutil
from pathlib import Path

from app.page.tabs.copies import copies_card
from app.session.services import Services
from indexer.ingest.build import build_library
from indexer.retrieval.copies import find_copies
from indexer.retrieval.search import PartWeights
from rspnet_core.video.making.encode import write_video
from tests.app.conftest import EDITOR
from tests.conftest import Once
from tests.indexer.retrieval.test_copies import COPIES, found_in, write_takes
from tests.rspnet_core.video.takes import take


def test_groups_are_listed_and_names_are_text(own_library: Path) -> None:
    with Services(own_library, device="cpu") as services:
        assert copies_card(services) == ""
    first = sorted(own_library.glob("*/v_*.mp4"))[0]
    shutil.copy(first, first.with_name("<i>again.mp4"))
    build_library(own_library, device="cpu")
    with Services(own_library, device="cpu") as services:
        card = copies_card(services)
        assert "1 group of copies, 2 videos</summary>" in card
        assert "&lt;i&gt;again.mp4" in card
        assert f"{first.parent.name}/{first.name}" in card
        assert str(own_library) not in card
        assert "duplicates</code>" in card
        find_copies(services.library)
        assert "duplicates</code>" not in copies_card(services)


def test_what_leaks_comes_first_and_is_told(tmp_path: Path, sample_videos: Path, small_weights: Path) -> None:
    data, (one, other) = tmp_path / "data", sorted(sample_videos.rglob("v_*.mp4"))[:2]
    for place in ("train/A", "test/A"):
        (data / place).mkdir(parents=True)
    for number in range(3):
        shutil.copy(one, data / "train" / "A" / f"one{number}.mp4")
    for side in ("train", "test"):
        shutil.copy(other, data / side / "A" / f"{side}.mp4")
    build_library(data, weights=str(small_weights), device="cpu")
    with Services(data, device="cpu") as services:
        card = copies_card(services)
    assert "2 groups of copies, 5 videos, 1 on both sides of a split" in card
    assert card.index("test.mp4") < card.index("one0.mp4")
    assert card.count("leak") == 1


def test_an_upload_of_the_same_footage_is_folded_with_its_copies(
    once: Once, small_weights: Path, tmp_path: Path
) -> None:
    library, upload = tmp_path / "index", tmp_path / "upload.mp4"
    build_library(once("takes", write_takes), index=library, weights=str(small_weights), device="cpu")
    write_video(upload, take(1, frames=60)[3:, 2:-2, 2:-2])
    found_in(library)
    with Services(library, device="cpu") as services:
        hits = services.rank(services.embed(EDITOR, upload), PartWeights()).hits
    assert {hit.path for hit in hits if hit.copy_of == "query"} == COPIES
