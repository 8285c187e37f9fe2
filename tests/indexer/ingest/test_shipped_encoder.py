"""Without any option a library is built by the encoder that comes with the package, and stays its library."""

from pathlib import Path

from indexer.ingest.build import build_library
from indexer.retrieval.library import Library
from tests.indexer.cli.test_cli import rspnet_index


def test_the_first_search_needs_no_option_and_warns_of_nothing(few_videos: Path) -> None:
    built = rspnet_index("build", few_videos, "--device", "cpu")
    assert built.returncode == 0
    assert "rspnet:small" in built.stderr
    assert "untrained" not in built.stderr
    assert build_library(few_videos, device="cpu").skipped == 4
    with Library.open(few_videos, device="cpu") as library:
        video = sorted(few_videos.rglob("*.mp4"))[0]
        hits = library.search(video, top=4)
        assert hits[0].path.endswith(video.name)
        assert library.record.description["trained"] is True
        assert set(library.record.parts) == {"backbone", "motion", "appearance"}
