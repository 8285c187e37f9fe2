from urllib.parse import parse_qsl

import pytest

from app import permalink
from app.opened import Filters
from app.services import Services
from indexer.search import PartWeights


def test_links_say_what_they_restore(services: Services) -> None:
    handle = services.stored(services.videos(limit=1)[0].id, 0.5, None)
    weights, filters = PartWeights(backbone=0.25, motion=0.7), Filters(label="a&b=c", folder="x/ü")
    address = permalink.link(handle, weights, filters, 3)
    asked = permalink.parse(dict(parse_qsl(address.removeprefix("?"))))
    assert asked == permalink.Request(handle.video_id, weights, filters, 0.5, None, 3)


@pytest.mark.parametrize(
    "parameters",
    [{"motion": "x"}, {"motion": "nan", "page": "-4"}, {"backbone": "0"}, {"page": "1e99", "start": "inf"}],
)
def test_links_with_nonsense_have_the_usual_values(parameters: dict[str, str]) -> None:
    asked = permalink.parse(parameters | {"video": "0" * 16})
    assert asked.weights == PartWeights()
    assert 1 <= asked.page <= 10**6
    assert asked.start_seconds is None
