"""What is told of how fast a store feeds a recipe: every part is run, and rates follow from seconds."""

import json
from pathlib import Path

import pytest

from rspnet_core.bench.store_speed import StoreSpeed, main, store_speed
from rspnet_core.config import WholeVideo
from rspnet_core.pretext.joint_recipe import JointRecipe
from rspnet_core.training.recipe_file import to_toml
from rspnet_core.video.reading.sandbox import DecodePool
from rspnet_core.video.store.write import write_store
from tests.rspnet_core.pretext.test_views import store_of

pytestmark = pytest.mark.usefixtures("thin_networks")
RECIPE = JointRecipe.model_validate(
    {
        "backbone": "resnet18",
        "objectives": {"rsp": {}},
        "batch_size": 2,
        "frames_per_clip": 2,
        "clip_size": 32,
    }
)


def test_rates_follow_from_seconds() -> None:
    speed = StoreSpeed(
        videos=8, clips=24, seconds={"cut": 0.5, "step": 2.0, "whole": 2.5}, flops=6e9, product_rate=3e10
    )
    document = speed.document()
    assert document["videos_a_second"] == {"cut": 16.0, "step": 4.0, "whole": 3.2}
    assert document["of_the_step"] == pytest.approx(0.8)
    assert document["step_flops_a_second"] == pytest.approx(3e9)
    assert document["utilisation"] == pytest.approx(0.1)


def test_only_what_a_recipe_does_is_timed() -> None:
    store = store_of([40, 40, 40])
    plain = store_speed(store, RECIPE, 1, "cpu")
    assert list(plain.seconds) == ["cut", "augmented", "step", "whole"]
    assert plain.clips == 6
    rendering = RECIPE.model_copy(update={"num_programs": 2})
    rendered = store_speed(store, rendering, 1, "cpu")
    assert list(rendered.seconds) == ["cut", "augmented", "rendered", "step", "whole"]
    assert rendered.clips == 6 + 4
    assert rendered.flops == pytest.approx(plain.flops * 10 / 6, rel=0.01)
    assert min(rendered.seconds.values()) > 0


def test_the_command_prints_one_document(
    sample_videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {path.name: path for path in sorted(sample_videos.rglob("v_*.mp4"))[:2]}
    with DecodePool(1) as pool:
        write_store(files, tmp_path / "store", WholeVideo(frame_size=32), pool)
    (tmp_path / "recipe.toml").write_text(to_toml(RECIPE))
    main([str(tmp_path / "store"), str(tmp_path / "recipe.toml"), "1", "--set", "seed=3", "--device", "cpu"])
    assert json.loads(capsys.readouterr().out)["videos"] == 2
