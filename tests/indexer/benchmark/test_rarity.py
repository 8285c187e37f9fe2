"""How rare the scores of a report's examples are."""

from pathlib import Path

import numpy as np
import pytest

from indexer.benchmark.evaluation import Preparation, evaluate
from indexer.catalogue.catalogue import video_key
from indexer.retrieval.library import Library
from indexer.retrieval.search import PartWeights


def test_examples_are_as_rare_as_a_search_says(built: Path) -> None:
    weights = PartWeights(backbone=0.3, motion=0.7)
    with Library.open(built, device="cpu") as library:
        _, scores = evaluate(library, weights=weights)
        for result in scores.results:
            searched = {hit.id: hit.percentiles["mix"] for hit in library.search(result.id, top=32, weights=weights)}
            for hit in result.hits:
                assert hit.percentile == pytest.approx(searched[hit.id], abs=1.5 / len(library.pairs))


def test_of_centred_vectors_the_pairs_are_centred_too(built: Path) -> None:
    with Library.open(built, device="cpu") as library:
        _, scores = evaluate(library, preparation=Preparation(centre=True))
        keys, rows = (np.concatenate(each) for each in zip(*library.catalogue.all_vectors(), strict=True))
        gallery = library.catalogue.select_keys(split="train", fold=1)
        own = rows[:, library.layout.slices()["backbone"]]
        own = own - own[np.isin(keys, gallery)].mean(0)
        own /= np.linalg.norm(own, axis=1, keepdims=True)
        cosines = own @ own.T
        pairs = cosines[np.triu_indices(len(own), 1)]
        row_of = {key: row for row, key in enumerate(keys.tolist())}
        for result in scores.results:
            for hit in result.hits:
                score = cosines[row_of[video_key(result.id)], row_of[video_key(hit.id)]]
                assert hit.percentile == pytest.approx((pairs < score).mean(), abs=2 / len(pairs))
