"""What a map is coloured by."""

from dataclasses import replace

from app.session.colouring import colourings
from app.session.services import Services
from indexer.catalogue.catalogue import id_of_key


def test_all_that_is_known_colours_the_videos(services: Services) -> None:
    opened, videos = services.opened, services.opened.videos
    found = {each.name: each for each in colourings(opened, videos)}
    assert list(found) == ["class", "split", "folder", "length"]
    for name, known in (("class", "label"), ("split", "split")):
        each = found[name]
        assert [each.kinds[kind] for kind in each.of] == [getattr(video, known) for video in videos]
    assert found["split"].kinds == ["train", "test"]
    assert [found["folder"].kinds[kind] for kind in found["folder"].of] == [
        video.path.rpartition("/")[0] for video in videos
    ]
    assert [each.is_ordered for each in found.values()] == [False, False, False, True]


def test_lengths_are_ranges_in_order_and_what_is_not_known_has_none(services: Services) -> None:
    opened, videos = services.opened, services.opened.videos[:6]
    seconds = [0.5, 2.0, 4.999, 5.0, 90_000.0]
    opened.durations = {id_of_key(video.key): value for video, value in zip(videos[:5], seconds, strict=True)}
    try:
        found = next(each for each in colourings(opened, videos) if each.name == "length")
    finally:
        del opened.durations
    assert found.kinds == ["under 2 s", "2 to 5 s", "5 to 10 s", "1,800 s and more"]
    assert found.of == [0, 1, 1, 2, 3, -1]


def test_what_no_video_has_colours_nothing_and_many_folders_are_told_apart_at_the_top(services: Services) -> None:
    opened = services.opened
    videos = [
        replace(opened.videos[0], label=None, split=None, path=f"{'ab'[number % 2]}/{number}/v.mp4")
        for number in range(60)
    ]
    found = {each.name: each for each in colourings(opened, videos)}
    assert "class" not in found
    assert "split" not in found
    assert found["folder"].kinds == ["a", "b"]
    assert found["folder"].of == [0, 1] * 30
