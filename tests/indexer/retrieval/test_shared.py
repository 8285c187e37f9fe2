"""Which videos two libraries both hold."""

from dataclasses import replace

from indexer.catalogue.catalogue import VideoRow
from indexer.retrieval.library import Library
from indexer.retrieval.shared import shared_videos


def rows(built, *named: tuple[str, str, str | None]) -> list[VideoRow]:
    """Videos of these ids, paths and contents."""
    with Library.open(built, device="cpu") as library:
        video = next(iter(library.catalogue.videos(status="indexed")))
    return [replace(video, id=id_, path=path, content_hash=content) for id_, path, content in named]


def test_the_same_content_is_the_same_video_wherever_it_lies(built) -> None:
    ours = rows(built, ("1", "a.mp4", "x"), ("2", "b.mp4", "y"), ("3", "c.mp4", "z"))
    theirs = rows(built, ("7", "old/b.mp4", "y"), ("8", "a.mp4", "x"), ("9", "c.mp4", "another"))
    assert shared_videos(ours, theirs) == {"1": "8", "2": "7"}


def test_paths_decide_where_a_content_is_not_known(built) -> None:
    ours = rows(built, ("1", "a.mp4", None), ("2", "b.mp4", "y"), ("3", "c.mp4", None))
    theirs = rows(built, ("8", "b.mp4", None), ("9", "a.mp4", "x"))
    assert shared_videos(ours, theirs) == {"1": "9", "2": "8"}


def test_of_copies_each_has_one_other_that_of_its_path_first(built) -> None:
    ours = rows(built, ("1", "a.mp4", "x"), ("2", "b.mp4", "x"), ("3", "c.mp4", "x"))
    theirs = rows(built, ("7", "c.mp4", "x"), ("8", "d.mp4", "x"), ("9", "e.mp4", "y"))
    assert shared_videos(ours, theirs) == {"3": "7", "1": "8"}
    assert shared_videos(ours, []) == shared_videos([], theirs) == {}
