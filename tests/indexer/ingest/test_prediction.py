"""An encoder with a classifier says what each video shows, from its weights to what a search prints."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from indexer.catalogue.catalogue import FILE_NAME, Catalogue
from indexer.catalogue.prediction import Prediction
from indexer.ingest.build import build_library
from indexer.ingest.encoder import ClipEncoder
from indexer.retrieval.library import Library
from indexer.retrieval.maintenance import verify_library
from rspnet_core.video.reading.decode import read_clips
from rspnet_core.weights.checkpoint import load_checkpoint
from tests.conftest import SMALL_CLIPS, save_classifier
from tests.indexer.cli.test_cli import rspnet_index
from tests.indexer.ingest.test_encoder import videos
from tests.indexer.storage import forget_rows, make_older

CLASSES = ("Bounce", "Spin", "Swing", "a <b>long</b> jump")


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An encoder that tells four classes apart, in float32 on any CPU."""
    monkeypatch.setattr("indexer.ingest.encoder.choose_precision", lambda device: torch.float32)
    return save_classifier(tmp_path / "tuned.safetensors", CLASSES)


@pytest.fixture
def library_folder(few_videos: Path, weights: Path) -> Path:
    assert build_library(few_videos, weights=str(weights), device="cpu").indexed == 4
    return few_videos


def probabilities_by_torch(weights: Path, frames: np.ndarray) -> torch.Tensor:
    """Normalise, backbone, mean over place and time, linear layer, softmax, mean over clips: (num_classes,)."""
    model, spec = load_checkpoint(weights)
    pixels = (frames / 255.0 - spec.normalisation.mean) / spec.normalisation.std
    with torch.no_grad():
        features = model.features(torch.from_numpy(pixels).permute(0, 4, 1, 2, 3).float())
        logits = features.mean(dim=(2, 3, 4)) @ model.classifier.weight.T + model.classifier.bias
        return torch.exp(logits - logits.logsumexp(dim=1, keepdim=True)).mean(dim=0)


def predictions(folder: Path) -> dict[str, Prediction | None]:
    with Library.open(folder, device="cpu") as library:
        return {row.path: row.predicted for row in library.catalogue.videos()}


def test_probabilities_are_those_of_the_model_video_by_video(weights: Path) -> None:
    encoder = ClipEncoder(*load_checkpoint(weights), device=torch.device("cpu"))
    pair = videos(2)
    for encoded, frames in zip(encoder.encode(pair), pair, strict=True):
        assert (encoded.probabilities.shape, encoded.probabilities.dtype) == ((4,), np.float32)
        expected = probabilities_by_torch(weights, frames)
        np.testing.assert_allclose(encoded.probabilities, expected, atol=1e-4)
        prediction = encoder.prediction(encoded)
        assert prediction.class_name == CLASSES[int(expected.argmax())]
        assert prediction.probability == pytest.approx(float(expected.max()), abs=1e-4)


def test_the_model_s_classifier_is_left_where_it_was(weights: Path) -> None:
    model, spec = load_checkpoint(weights)
    encoder = ClipEncoder(model, spec, device=torch.device("cpu"))
    encoder._model.classifier.weight.data.zero_()
    assert model.classifier.weight.abs().sum() > 0


def test_names_of_classes_are_part_of_the_fingerprint(weights: Path) -> None:
    model, spec = load_checkpoint(weights)
    renamed = spec.model_copy(update={"classes": (*CLASSES[:3], "Jump")})
    first, second = (ClipEncoder(model, each, device=torch.device("cpu")) for each in (spec, renamed))
    assert first.fingerprint != second.fingerprint
    assert first.description["classes"] == 4


def test_an_encoder_without_a_classifier_is_described_as_before(small_weights: Path) -> None:
    model, spec = load_checkpoint(small_weights)
    before = spec.model_copy(update={"backbone": "tsm18", "sha256": "0" * 64})
    encoder = ClipEncoder(model, before, device=torch.device("cpu"))
    assert encoder.fingerprint == "7fddd4fe87f61190"
    assert "classes" not in encoder.description


def test_numbers_that_overflow_predict_nothing() -> None:
    assert Prediction.most_likely(np.array([0.2, np.nan, 0.8], np.float32), ["a", "b", "c"]) is None
    assert Prediction.most_likely(np.array([0.25, 0.75], np.float32), ["a", "b"]) == Prediction("b", 0.75)


def test_hits_and_queries_carry_what_the_model_says_of_their_clips(library_folder: Path, weights: Path) -> None:
    query = sorted(library_folder.rglob("*.mp4"))[1]
    by_file = json.loads(rspnet_index("search", query, "--index", library_folder, "--json").stdout)
    assert len(by_file["hits"]) == 4
    seen = set()
    for described in (by_file["query"], *by_file["hits"]):
        expected = probabilities_by_torch(weights, read_clips(Path(described["path"]), SMALL_CLIPS).frames)
        best = int(expected.argmax())
        said = {"class": CLASSES[best], "probability": pytest.approx(float(expected[best]), abs=1e-4)}
        assert described["predicted"] == said
        seen.add(round(float(expected[best]), 6))
    assert len(seen) == 4
    stored = by_file["hits"][-1]
    by_id = json.loads(rspnet_index("search", stored["id"], "--index", library_folder, "--json").stdout)
    assert by_id["query"]["predicted"] == stored["predicted"]
    segment = rspnet_index("search", stored["id"], "--start", 1, "--end", 2, "--index", library_folder, "--json")
    of_segment = json.loads(segment.stdout)["query"]["predicted"]
    assert of_segment.keys() == {"class", "probability"}
    assert of_segment["probability"] != stored["predicted"]["probability"]
    assert verify_library(library_folder, deep=True).problems == []


def test_the_terminal_shows_class_and_probability(library_folder: Path) -> None:
    query = next(library_folder.rglob("*.mp4"))
    said = str(predictions(library_folder)[str(query.relative_to(library_folder))])
    title, second, header, *rows = rspnet_index("search", query, "--index", library_folder).stdout.splitlines()
    assert title.startswith("Most like")
    assert second.rstrip() == f"query: predicted {said}"
    assert "predicted" in header
    assert all(word in " ".join(rows) for word in said.split())  # a narrow terminal breaks it between words
    assert "predicts 4 classes" in rspnet_index("info", "--index", library_folder).stdout
    assert json.loads(rspnet_index("info", "--index", library_folder, "--json").stdout)["encoder"]["classes"] == 4


def test_a_class_with_control_characters_cannot_act_on_a_terminal(few_videos: Path, tmp_path: Path) -> None:
    weights = save_classifier(tmp_path / "hostile.safetensors", ["good", "\x1b[2Jgone\n\u202e"], always=1)
    build_library(few_videos, weights=str(weights), device="cpu")
    shown = rspnet_index("search", next(few_videos.rglob("*.mp4")), "--index", few_videos).stdout
    assert r"\x1b[2Jgone\n\u202e 99%" in shown
    assert "\x1b[2J" not in shown
    assert "\u202e" not in shown


def test_a_library_without_classes_prints_what_it_always_did(built: Path, sample_videos: Path) -> None:
    query = next(sample_videos.rglob("*.mp4"))
    document = json.loads(rspnet_index("search", query, "--index", built, "--json").stdout)
    assert not any("predicted" in described for described in (document["query"], *document["hits"]))
    assert "classes" not in document["encoder"]
    assert "predict" not in rspnet_index("search", query, "--index", built).stdout
    assert "predict" not in rspnet_index("info", "--index", built).stdout


def test_renamed_and_touched_files_keep_their_class(library_folder: Path) -> None:
    before = predictions(library_folder)
    renamed, doubled, touched, _ = sorted(library_folder.rglob("*.mp4"))
    name, twin = str(renamed.relative_to(library_folder)), str(doubled.relative_to(library_folder))
    shutil.copy2(doubled, library_folder / "double.mp4")
    renamed.rename(library_folder / "renamed.mp4")
    os.utime(touched, (1, 1))
    report = build_library(library_folder, device="cpu")
    assert (report.indexed, report.reused) == (0, 2)
    after = predictions(library_folder)
    assert after["renamed.mp4"] == before[name]
    assert after["double.mp4"] == after[twin] == before[twin]
    assert after.items() >= {(path, said) for path, said in before.items() if path != name}


def test_an_export_has_the_classes(library_folder: Path, built: Path, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    for index, has_classes in ((library_folder, True), (built, False)):
        assert rspnet_index("export", tmp_path / "out", "--index", index).returncode == 0
        rows = pq.read_table(tmp_path / "out" / "videos.parquet").to_pylist()
        said = {row["path"]: (row["predicted_class"], row["predicted_probability"]) for row in rows}
        if has_classes:
            expected = {path: (each.class_name, each.probability) for path, each in predictions(index).items()}
            assert said == expected
        else:
            assert set(said.values()) == {(None, None)}


def test_a_library_of_the_version_before_is_searched_and_then_brought_up_to_date(
    few_videos: Path, small_weights: Path
) -> None:
    build_library(few_videos, weights=str(small_weights), device="cpu")
    catalogue_file = few_videos / ".rspnet" / FILE_NAME
    with Catalogue.open(catalogue_file, write=True) as catalogue, catalogue._database.writing() as connection:
        make_older(connection, "0001")
    forget_rows(few_videos / ".rspnet")
    video = next(few_videos.rglob("*.mp4"))
    for command in (("search", video), ("info",), ("verify", "--deep"), ("export", few_videos / "out")):
        done = rspnet_index(*command, "--index", few_videos)
        assert done.returncode == 0, done.stderr
    assert set(predictions(few_videos).values()) == {None}
    report = build_library(few_videos, device="cpu")
    assert (report.indexed, report.skipped) == (0, 4)
    with Catalogue.open(catalogue_file, write=False) as catalogue:
        assert catalogue._database.has_predictions
        assert catalogue.check(deep=True) == []
        assert catalogue.counts().clips == 12
