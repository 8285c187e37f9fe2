"""The Accuracy tab's table of weights, and families in its report."""

import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import expect

from app.page.tabs.weights_compared import weights_table
from app.session.services import Services
from rspnet_core.errors import DatasetError
from tests.app.conftest import Served


def test_rows_say_how_far_they_are_from_the_backbone(services: Services) -> None:
    compared = services.compared_weights()
    table = weights_table(compared)
    names = re.findall(r'<th scope="row">([^<]+)</th>', table)
    assert names == [
        "backbone alone",
        "motion alone",
        "appearance alone",
        "motion and appearance",
        "backbone, motion and appearance",
    ]
    motion = compared["rows"][1]
    low, high = (100 * bound for bound in motion["intervals"]["difference"]["top_k"]["1"])
    value = 100 * motion["scores"]["difference"]["top_k"]["1"]
    assert f"{value:+.1f} ({low:+.1f} to {high:+.1f})" in table
    assert f"{100 * motion['scores']['b']['top_k']['1']:.1f}" in table


def test_an_encoder_without_heads_has_its_backbone_alone(headless: Path) -> None:
    with Services(headless, device="cpu") as services:
        table = weights_table(services.compared_weights())
    assert re.findall(r'<th scope="row">([^<]+)</th>', table) == ["backbone alone"]


def test_families_of_the_lists_are_in_the_report(four_videos: Path, tmp_path: Path) -> None:
    data = shutil.copytree(four_videos, tmp_path / "own")
    classes = sorted({video.parent.name for video in data.rglob("v_*.mp4")})
    with Services(data, device="cpu") as services:
        assert services.report()[0]["within_family"] is None
        lists = data / "ucfTrainTestlist"
        lists.mkdir(exist_ok=True)
        (lists / "classFamily.csv").write_text(
            "class,family\nNoneHere,Other\n" + "".join(f"{label},Moves\n" for label in classes)
        )
        families = services.report()[0]["within_family"]["families"]
        assert (list(families), families["Moves"]["classes"]) == (["Moves"], len(classes))
        (lists / "classFamily.csv").write_text("class,family\nNoneHere,Other\n")
        assert services.report()[0]["within_family"] is None
        (lists / "classFamily.csv").write_text("class,family\nSpin,\n")
        with pytest.raises(DatasetError, match="classFamily"):
            services.report()


@pytest.mark.slow
def test_weights_are_compared_in_the_page(open_page, served: Served) -> None:
    page = open_page(served.url)
    page.get_by_role("tab", name="Accuracy").click()
    page.get_by_role("button", name="Compare weights").click()
    table = page.get_by_role("region", name="Weights compared")
    expect(table.get_by_role("row")).to_have_count(6)
    expect(table.get_by_role("row").nth(2)).to_contain_text("motion alone")
