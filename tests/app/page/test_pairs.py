"""Why two videos are alike is shown at the clips, and by the part, that the ranking went by."""

import json

import pytest

from app.page.pairs import Pair, best_cell, clip_similarities, pair_content
from app.session.services import Services
from indexer.retrieval.search import PartWeights


@pytest.mark.parametrize(
    ("weights", "part"),
    [
        (PartWeights(), "backbone"),
        (PartWeights(backbone=0, motion=1), "motion"),
        (PartWeights(backbone=0.2, motion=0.3, appearance=0.5), "appearance"),
        (PartWeights(backbone=0.5, motion=0.5, appearance=0.5), "motion"),  # whose map is shown, and that comes first
    ],
)
def test_a_pair_is_shown_at_the_moment_of_its_hit(services: Services, weights: PartWeights, part: str) -> None:
    query = next(iter(services.library.catalogue.videos(status="indexed"))).id
    handle = services.stored(query)
    for hit in services.library.search(query, top=8, weights=weights, moments=True).hits:
        similarities = clip_similarities(services, handle, hit.id)
        pair = Pair(handle, hit.id, weights, best_cell(similarities, weights))
        shown = json.loads(pair_content(services, pair, similarities))
        assert (shown["head"], shown["cell"]) == (part, list(pair.cell))
        weighted = sum(getattr(weights, each) * values for each, values in similarities.items())
        moment = [start for start, _ in shown["match"]["spans"]].index(round(hit.start_seconds, 3))
        assert weighted[pair.cell] == pytest.approx(weighted[:, moment].max(), abs=1e-6)  # equal clips are equally good
