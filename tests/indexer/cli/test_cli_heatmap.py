import json
from pathlib import Path

import av
import pytest
import torch
import typer
from click.testing import Result
from PIL import Image
from typer.testing import CliRunner

from indexer.cli.heatmap import heatmap
from indexer.retrieval.library import Library
from rspnet_core.config import ClipGeometry
from rspnet_core.errors import InvalidSetting, LibraryNotFound, QueryNotFound, RspnetError, VideoError
from rspnet_core.models import create_torchvision_model
from rspnet_core.video.reading.decode import read_clips
from rspnet_core.weights.checkpoint import describe, load_checkpoint, save_checkpoint

SPIN, ZOOM = "Spin/v_Spin_g01_c01.mp4", "Zoom/v_Zoom_g02_c02.mp4"
app = typer.Typer()
app.command()(heatmap)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments), "--device", "cpu"])


def document(*arguments: object) -> dict:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.exception
    return json.loads(result.stdout)


def test_a_still_and_its_figures(sample_videos: Path, small_weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "why.png"
    figures = document(
        sample_videos / SPIN, sample_videos / ZOOM, "--weights", small_weights, "--out", out, "--threshold", 0
    )
    assert figures.keys() == {"out", "encoder", "query", "match", "threshold", "heads"}
    assert figures["query"].keys() == {"name", "clip", "start_seconds", "end_seconds"}
    assert figures["query"]["name"] == Path(SPIN).name
    assert figures["heads"]["motion"]["query"] == {"energy_share": pytest.approx(1), "area_share": 1}
    with Image.open(out) as picture:
        assert (picture.format, picture.mode) == ("PNG", "RGB")
        picture.load()
    assert list(tmp_path.iterdir()) == [out]


@torch.inference_mode()
def test_cosines_are_those_of_the_models_own_heads(sample_videos: Path, small_weights: Path, tmp_path: Path) -> None:
    videos = sample_videos / SPIN, sample_videos / ZOOM
    figures = document(*videos, "--weights", small_weights, "--out", tmp_path / "why.png")
    model, spec = load_checkpoint(small_weights)
    mean, std = torch.tensor(spec.normalisation.mean), torch.tensor(spec.normalisation.std)
    outputs = []
    for video in videos:
        pixels = torch.from_numpy(read_clips(video, spec.geometry).frames) / 255
        outputs.append(model(((pixels - mean) / std).permute(0, 4, 1, 2, 3)))
    first, second = outputs
    matrices = {"motion": first.motion @ second.motion.T, "appearance": first.appearance @ second.appearance.T}
    chosen = figures["query"]["clip"], figures["match"]["clip"]
    for head, matrix in matrices.items():
        torch.testing.assert_close(torch.tensor(figures["heads"][head]["clip_similarities"]), matrix, atol=1e-4, rtol=0)
        assert figures["heads"][head]["cosine"] == pytest.approx(float(matrix[chosen]), abs=1e-4)


@pytest.mark.parametrize("suffix", [".mp4", ".GIF"])
def test_films_have_all_frames_of_the_clip(
    sample_videos: Path, small_weights: Path, tmp_path: Path, suffix: str
) -> None:
    out = tmp_path / f"why{suffix}"
    assert run(sample_videos / SPIN, sample_videos / ZOOM, "--weights", small_weights, "--out", out).exit_code == 0
    if suffix == ".mp4":
        with av.open(out) as film:
            assert film.streams.video[0].codec_context.name == "h264"
            assert sum(1 for _ in film.decode(video=0)) == 2
    else:
        with Image.open(out) as film:
            assert (film.format, film.n_frames, film.info["loop"]) == ("GIF", 2, 0)


def test_ids_of_a_library_are_understood_and_its_encoder_used(built: Path, tmp_path: Path) -> None:
    with Library.open(built, device="cpu") as library:
        hits = library.search(next(library.catalogue.videos()).id, top=2)
        weights = library.record.description["weights"]
    figures = document(hits[0].id, hits[1].path, "--index", built, "--out", tmp_path / "why.png")
    assert figures["query"]["name"] == Path(hits[0].path).name
    assert figures["match"]["name"] == Path(hits[1].path).name
    assert figures["encoder"] == {"backbone": "tiny", "weights": weights, "trained": True}


def test_faithfulness_is_printed_when_asked_for(sample_videos: Path, small_weights: Path, tmp_path: Path) -> None:
    arguments = (sample_videos / SPIN, sample_videos / ZOOM, "--weights", small_weights, "--out", tmp_path / "a.png")
    judged = document(*arguments, "--faithfulness")["heads"]
    for head in judged.values():
        for side in ("query", "match"):
            score = head[side]["faithfulness"]
            assert 0 <= score["beaten_share"] <= 1
            assert score["random_drop_interval"][0] <= score["random_drop_mean"] <= score["random_drop_interval"][1]
    table = run(*arguments, "--faithfulness").stdout
    assert [line.split()[:2] for line in table.splitlines()[1:5]] == [
        [head, side] for head in ("motion", "appearance") for side in ("query", "match")
    ]
    assert "beats" in table


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"out": "why.jpg"}, InvalidSetting, r"the name must end in .png, .mp4, .gif"),
        ({"out": "none/why.png"}, InvalidSetting, "there is no folder"),
        ({"threshold": "1.5"}, InvalidSetting, "allowed is 0 to 1"),
        ({"match": "nothing.mp4"}, QueryNotFound, "there is no file nothing.mp4"),
        ({"match": "{videos}/ground_truth.json"}, VideoError, "ground_truth.json: "),
        ({"index": "{videos}"}, InvalidSetting, "got both of --weights and --index"),
        ({"weights": None}, InvalidSetting, "got neither of --weights and --index"),
        ({"weights": None, "index": "{videos}"}, LibraryNotFound, "no library at"),
    ],
)
def test_a_mistake_is_refused_with_what_to_do(
    sample_videos: Path,
    small_weights: Path,
    tmp_path: Path,
    changed: dict[str, str | None],
    error: type[RspnetError],
    message: str,
) -> None:
    settings = {"match": str(sample_videos / ZOOM), "weights": str(small_weights), "out": "why.png"} | changed
    settings["out"] = str(tmp_path / settings["out"])
    filled = {name: text.format(videos=sample_videos) for name, text in settings.items() if text is not None}
    match = filled.pop("match")
    options = [part for name, text in filled.items() for part in (f"--{name}", text)]
    result = run(sample_videos / SPIN, match, *options)
    with pytest.raises(error, match=message):
        raise result.exception
    assert "\n" not in str(result.exception)
    assert not list(tmp_path.iterdir())


def test_an_id_that_the_library_does_not_have_is_refused(built: Path, tmp_path: Path) -> None:
    for unknown in ("0" * 16, "no id"):
        result = run(unknown, unknown, "--index", built, "--out", tmp_path / "why.png")
        with pytest.raises(QueryNotFound, match="neither a file nor the id"):
            raise result.exception


def test_a_video_is_never_replaced_by_its_heat_map(few_videos: Path, small_weights: Path) -> None:
    query, match = sorted(few_videos.rglob("*.mp4"))[:2]
    before = match.read_bytes()
    result = run(query, match, "--weights", small_weights, "--out", match)
    with pytest.raises(InvalidSetting, match="would replace the video"):
        raise result.exception
    assert match.read_bytes() == before


def test_an_encoder_without_heads_is_explained_by_its_backbone(sample_videos: Path, tmp_path: Path) -> None:
    weights, model = tmp_path / "supervised.safetensors", create_torchvision_model("mc3_18").eval()
    geometry = ClipGeometry(num_clips=1, frames_per_clip=2, size=32)
    spec = describe(model, "torchvision:mc3_18", source="test", trained=True, geometry=geometry)
    save_checkpoint(model, spec, weights)
    figures = document(sample_videos / SPIN, sample_videos / ZOOM, "--weights", weights, "--out", tmp_path / "why.png")
    assert set(figures["heads"]) == {"backbone"}
    assert 0 <= figures["heads"]["backbone"]["query"]["energy_share"] <= 1
    assert (tmp_path / "why.png").exists()
