"""Simulated libraries: the same at every size, clustered as the real ones that they were fitted to, never mixed."""

import json
from itertools import islice

import numpy as np
import pytest
from typer.testing import CliRunner

from indexer.catalogue.catalogue import FILE_NAME, Catalogue
from indexer.cli.main import app
from indexer.index import ivf_index
from indexer.ingest.build import build_library
from indexer.ingest.simulate import PARTS, simulate_library, synthetic_vectors
from indexer.ingest.spectrum import SPECTRUM, fit
from indexer.retrieval.library import Library
from indexer.retrieval.maintenance import verify_library
from rspnet_core.errors import EncoderMismatch, InvalidSetting, WeightsNotFound
from tests.indexer.storage import make_library, stored


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    """A library of 1500 videos, filled in two steps; read only."""
    index = tmp_path_factory.mktemp("simulated") / "index"
    simulate_library(index, 300)
    assert simulate_library(index, 1500)["added"] == 1200
    return index


def test_a_library_that_grew_is_the_one_that_was_filled_at_once(simulated, tmp_path):
    document = simulate_library(tmp_path, 1500)
    assert stored(tmp_path / FILE_NAME) == stored(simulated / FILE_NAME)
    with Library.open(simulated, device="cpu") as library:
        assert library.info()["videos"]["indexed"] == 1500
        assert len(set(document["examples"])) == 10
        for example in document["examples"]:
            nearest = library.search(example, top=7)
            assert nearest[0].id == example
            # Six others are of the same recording.
            assert {hit.label for hit in nearest} == {nearest[0].label}
        assert len(library.search(example, top=1500, label="class07")) == 15
        assert len(library.search(example, top=1500, folder="part3")) == 150
    verdict = verify_library(simulated, deep=True)
    assert verdict.problems == []
    assert "simulated" in verdict.notes[0]


def test_a_file_cannot_be_asked_about_nor_videos_be_added(simulated, sample_videos):
    told = "this library is simulated, no encoder made its vectors; search it by ids"
    with Library.open(simulated, device="cpu") as library, pytest.raises(WeightsNotFound, match=told):
        library.search(next(sample_videos.rglob("*.mp4")))
    before = stored(simulated)
    with pytest.raises(WeightsNotFound, match=told):
        build_library(sample_videos, index=simulated, device="cpu")
    with pytest.raises(EncoderMismatch):
        build_library(sample_videos, index=simulated, backbone="energy", device="cpu")
    assert stored(simulated) == before


def test_its_vectors_are_clustered_like_those_it_was_fitted_to(simulated):
    with Library.open(simulated, device="cpu") as library:
        found = fit(library.catalogue)
    for name, expected in SPECTRUM.items():
        got = found[name]
        assert got.shared == pytest.approx(expected.shared, abs=0.03)
        for level in ("classes", "recordings", "videos"):
            variance = getattr(expected, level).variance
            # Two recordings a class: half of their scatter passes for that of classes.
            assert variance / 3 < getattr(got, level).variance < 3 * variance, (name, level)
    rows = np.stack(list(islice(synthetic_vectors(), 700)))
    for start, length in ((0, 512), (512, 128), (640, 128)):
        np.testing.assert_allclose(np.linalg.norm(rows[:, start : start + length], axis=1), 1, atol=1e-5)
    assert rows.shape == (700, sum(PARTS.values()))


def test_real_and_simulated_videos_never_mix(tmp_path):
    make_library(tmp_path, 3)
    before = stored(tmp_path / FILE_NAME)
    with pytest.raises(InvalidSetting, match="library of videos"):
        simulate_library(tmp_path, 10)
    assert stored(tmp_path / FILE_NAME) == before


def test_a_library_is_not_made_smaller(simulated):
    with pytest.raises(InvalidSetting, match="holds 1500 videos already, got --videos 10"):
        simulate_library(simulated, 10)
    with Catalogue.open(simulated / FILE_NAME, write=False) as catalogue:
        assert catalogue.counts().indexed == 1500


def test_the_command_prints_ids_to_search_by(tmp_path):
    done = CliRunner().invoke(app, ["simulate", "--videos", "12", "--index", str(tmp_path / "a"), "--json"])
    document = json.loads(done.stdout)
    assert (document["videos"], len(document["examples"])) == (12, 10)
    found = CliRunner().invoke(app, ["search", document["examples"][3], "--index", str(tmp_path / "a"), "--json"])
    assert json.loads(found.stdout)["hits"][0]["id"] == document["examples"][3]


def test_the_kind_of_index_is_kept_and_changed_by_a_later_run(tmp_path, monkeypatch):
    monkeypatch.setattr(ivf_index, "FEW", 500)
    monkeypatch.setattr(ivf_index, "GAIN", 0.5)

    def run(*arguments):
        done = CliRunner().invoke(app, [str(each) for each in arguments])
        assert done.exit_code == 0, done.output
        return done

    def info():
        document = json.loads(run("info", "--index", tmp_path, "--json").stdout)
        return document["index_type"], document["recall"] == 1, document["segments"]

    example = json.loads(
        run("simulate", "--videos", 1000, "--index", tmp_path, "--index-type", "ivf", "--json").stdout
    )["examples"][3]
    assert info() == ("ivf", False, 1)
    assert "ivf, finds 9" in run("info", "--index", tmp_path).stdout
    found = run("search", example, "--index", tmp_path, "--top", 3)
    assert "not an exact search, finds 9" in " ".join(found.stdout.split())
    assert json.loads(run("search", example, "--index", tmp_path, "--json").stdout)["recall"] < 1
    run("simulate", "--videos", 1050, "--index", tmp_path)
    assert info() == ("ivf", False, 2)
    assert verify_library(tmp_path, deep=True).problems == []
    table = json.loads(run("speed", "recall", "--index", tmp_path, "--queries", 20, "--json").stdout)
    assert {row["let_through"] for row in table["rows"]} == {1, 0.1, 0.01}
    assert min(row["recall"] for row in table["rows"]) > 0.95
    run("simulate", "--videos", 1050, "--index", tmp_path, "--index-type", "flat")
    assert info() == ("flat", True, 1)
    assert "not an exact" not in run("search", example, "--index", tmp_path, "--top", 3).stdout
    run("simulate", "--videos", 1100, "--index", tmp_path)
    assert info() == ("flat", True, 2)
    run("simulate", "--videos", 1100, "--index", tmp_path, "--index-type", "auto")
    assert json.loads((tmp_path / "library.json").read_text())["index_type"] is None


def test_a_kind_of_index_that_was_not_published_is_asked_for_again(tmp_path, monkeypatch):
    monkeypatch.setattr(ivf_index, "FEW", 500)
    monkeypatch.setattr(ivf_index, "GAIN", 0.5)
    simulate_library(tmp_path, 1000, "flat")

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(ivf_index.IvfIndex, "of", interrupted)
        simulate_library(tmp_path, 1000, "ivf")
    with Library.open(tmp_path, device="cpu") as library:
        assert library.info()["index_type"] == "flat"
    simulate_library(tmp_path, 1000, "ivf")
    with Library.open(tmp_path, device="cpu") as library:
        assert library.info()["index_type"] == "ivf"
