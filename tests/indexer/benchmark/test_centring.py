"""Centring, and motion energy as a baseline, on a library."""

from pathlib import Path

import numpy as np

from indexer.benchmark.centring import centred
from indexer.benchmark.evaluation import Preparation, evaluate
from indexer.benchmark.keyed_rows import KeyedRows
from indexer.catalogue.catalogue import FILE_NAME, Catalogue
from indexer.ingest.build import build_library
from indexer.ingest.pooling import Layout
from indexer.retrieval.library import Library
from rspnet_core.models.energy import MOTION_SIZE
from tests.indexer.cli.test_cli import rspnet_index
from tests.indexer.storage import forget_rows, make_older


def test_centring_equals_slow_loops() -> None:
    rows = {key: np.random.default_rng(key).normal(size=5).astype(np.float32) for key in range(6)}
    keyed = KeyedRows(np.arange(6), np.stack([*rows.values()]))
    found = centred(keyed, [1, 2, 5], Layout({"backbone": 3, "motion": 2}))
    for key, row in rows.items():
        for part in (range(3), range(3, 5)):
            plain = [row[n] - (rows[1][n] + rows[2][n] + rows[5][n]) / 3 for n in part]
            length = sum(value**2 for value in plain) ** 0.5
            np.testing.assert_allclose(found.at([key])[0, list(part)], [value / length for value in plain], rtol=1e-4)


def test_what_all_videos_have_in_common_does_not_count_once_centred(built: Path) -> None:
    with Library.open(built, device="cpu") as library:
        plain, scores = evaluate(library)
        less, centred_scores = evaluate(library, preparation=Preparation(centre=True))
    assert (plain["protocol"]["centred"], less["protocol"]["centred"]) == (False, True)
    found = [
        np.mean([hit.score for result in each.results for hit in result.hits]) for each in (scores, centred_scores)
    ]
    assert found[1] < found[0]


def test_every_report_has_motion_energy_but_that_of_energy_itself(few_videos: Path, built: Path) -> None:
    with Library.open(built, device="cpu") as library:
        assert evaluate(library)[0]["baselines"]["motion_energy"]["top_k"]
    build_library(few_videos, backbone="energy", device="cpu")
    with Library.open(few_videos, device="cpu") as library:
        assert evaluate(library)[0]["baselines"]["motion_energy"] is None
        ((keys, energies),) = library.catalogue.motion_energies()
        own = dict(zip(*next(library.catalogue.all_vectors()), strict=True))
        motion = library.layout.slices()["motion"]
        assert all((row == own[key][motion]).all() for key, row in zip(keys, energies, strict=True))


def test_the_stored_energy_is_the_motion_of_the_clips_that_the_library_decoded(
    few_videos: Path, small_weights: Path
) -> None:
    build_library(few_videos, weights=str(small_weights), device="cpu")
    with Library.open(few_videos, device="cpu") as library:
        energies = [row for _, rows in library.catalogue.motion_energies() for row in rows]
    assert len(energies) == 4 and all(row.shape == (MOTION_SIZE,) for row in energies)
    assert max(float(a @ b) for n, a in enumerate(energies) for b in energies[:n]) < 0.999


def test_a_library_whose_videos_lack_it_reports_without(few_videos: Path, small_weights: Path) -> None:
    build_library(few_videos, weights=str(small_weights), device="cpu")
    file = few_videos / ".rspnet" / FILE_NAME
    with Catalogue.open(file, write=True) as catalogue, catalogue._database.writing() as connection:
        make_older(connection, "0003")
    forget_rows(few_videos / ".rspnet")
    with Library.open(few_videos, device="cpu") as library:  # as it is
        assert evaluate(library)[0]["baselines"]["motion_energy"] is None
    video = next(few_videos.rglob("*.mp4"))
    video.write_bytes(video.read_bytes() + b"\0")  # a new content: one video is indexed again
    report = build_library(few_videos, device="cpu")
    assert (report.indexed, report.skipped) == (1, 3)
    with Library.open(few_videos, device="cpu") as library:
        assert sum(len(keys) for keys, _ in library.catalogue.motion_energies()) == 1
        baselines = evaluate(library)[0]["baselines"]
    assert baselines["motion_energy"] is None and baselines["colour_histogram"]


def test_an_index_of_energy_searches_by_motion_and_by_look_without_a_warning(few_videos: Path) -> None:
    done = rspnet_index("build", few_videos, "--backbone", "energy")
    assert done.returncode == 0 and "encoder energy, no weights" in done.stderr and "untrained" not in done.stderr
    video = next(few_videos.rglob("*.mp4"))
    for weights in (("--motion", 1, "--backbone-weight", 0), ("--appearance", 1, "--backbone-weight", 0), ()):
        done = rspnet_index("search", video, "--index", few_videos, *weights)
        assert done.returncode == 0 and "untrained" not in done.stderr, done.stderr
        assert video.name in done.stdout
    done = rspnet_index("benchmark", "--index", few_videos, "--centre")
    assert "Motion energy" not in done.stdout and "centred" in done.stdout, done.stderr
    picture = few_videos / "why.png"
    done = rspnet_index("heatmap", video, video, "--index", few_videos, "--out", picture)
    assert done.returncode == 0 and picture.stat().st_size > 10_000, done.stderr
    assert rspnet_index("verify", "--deep", "--index", few_videos).returncode == 0
