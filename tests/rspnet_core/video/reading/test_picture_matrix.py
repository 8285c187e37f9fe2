"""A sample of the matrix of what ffmpeg can write; all of it where slow tests run."""

import pytest

from tests.rspnet_core.video.ffmpeg_oracle import needs_ffmpeg
from tests.rspnet_core.video.reading.picture_matrix import LIMIT, PAGE, Kind, kinds, measure

ALL = sorted(set(kinds()))
SAMPLE = [Kind("mp4", "H.264", turn=90, aspect="4/3"), Kind("mkv", "HEVC", bits=10, light="PQ"), Kind("mxf", "MPEG-2")]

pytestmark = needs_ffmpeg


def test_the_docs_show_every_kind() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")][2:]
    assert [row.rsplit("|", 2)[0].strip("| ") for row in rows] == [" | ".join(map(str, kind)) for kind in ALL]
    assert len(rows) >= 120 and all(float(row.rsplit("|", 2)[1]) < LIMIT for row in rows)


@pytest.mark.parametrize("kind", SAMPLE, ids=str)
def test_the_picture_is_ffmpegs_own(kind: Kind) -> None:
    assert kind in ALL and measure(kind)[1] < LIMIT


@pytest.mark.slow
@pytest.mark.parametrize("kind", ALL, ids=str)
def test_every_picture_is_ffmpegs_own(kind: Kind) -> None:
    assert measure(kind)[1] < LIMIT
