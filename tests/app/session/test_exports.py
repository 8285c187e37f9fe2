"""Exports: what was ticked and nothing else, whatever the names, for spreadsheets, FFmpeg and browsers."""

import csv
import io
import json
import shutil
import subprocess
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from app.session.exports import KINDS_OF_FILES, export
from app.session.services import Services
from indexer.retrieval import listing
from indexer.retrieval.search import PartWeights
from rspnet_core.errors import InvalidSetting, QueryNotFound
from tests.app.conftest import EDITOR

COLUMNS = ["id", "file", "label", "split", "duration_seconds"]


def chosen(services: Services) -> list[str]:
    return [video.id for video in services.videos(limit=40)][5:2:-1]


def text_of(path: str) -> str:
    return Path(path).read_text("utf-8")


@pytest.mark.parametrize("kind", KINDS_OF_FILES)
def test_a_file_holds_the_ticked_videos_alone_and_no_folder_of_the_server(
    services: Services, data: Path, kind: str
) -> None:
    ids = chosen(services)
    path = export(services, EDITOR, [*ids, "0" * 16], kind)  # one has left meanwhile
    content = str(pq.read_table(path)).encode() if kind == "parquet" else Path(path).read_bytes()
    for video in services.videos(limit=40):
        named = video.path.encode() in content
        assert named == (video.id in ids)
    assert str(data).encode() not in content
    assert str(data.parent).encode() not in content


def test_the_three_tables_say_the_same(services: Services) -> None:
    ids = chosen(services)
    files = {kind: export(services, EDITOR, ids, kind) for kind in ("csv", "json", "parquet")}
    rows = json.loads(text_of(files["json"]))["videos"]
    assert [row["id"] for row in rows] == ids
    assert pq.read_table(files["parquet"]).to_pylist() == rows
    read = list(csv.DictReader(io.StringIO(text_of(files["csv"]))))
    assert [[row[name] for name in COLUMNS] for row in read] == [[str(row[name]) for name in COLUMNS] for row in rows]


def test_hits_come_best_first_with_the_scores_of_the_search(services: Services) -> None:
    query, weights = services.stored(services.videos(limit=1)[0].id), PartWeights(backbone=0, motion=1)
    found = services.rank(query, weights, per_page=40).hits
    expected = [hit for hit in found if hit.id in chosen(services)]
    rows = json.loads(text_of(export(services, EDITOR, chosen(services), "json", query, weights)))["videos"]
    assert [row["id"] for row in rows] == [hit.id for hit in expected]
    for row, hit in zip(rows, expected, strict=True):
        assert row["score"] == pytest.approx(hit.score, abs=1e-5)
        assert (row["start_seconds"], row["end_seconds"]) == (hit.start_seconds, hit.end_seconds)


def test_what_cannot_be_exported_is_explained(services: Services, monkeypatch) -> None:
    with pytest.raises(QueryNotFound, match="ticked"):
        export(services, EDITOR, ["0" * 16], "csv")
    with pytest.raises(InvalidSetting, match="allowed are csv"):
        export(services, EDITOR, chosen(services), "../../x")
    monkeypatch.setattr("indexer.retrieval.video_list.MOST_PICTURES", 2)
    with pytest.raises(InvalidSetting, match="at most 2"):
        export(services, EDITOR, chosen(services), "html")


def test_a_contact_sheet_loads_nothing_and_shows_every_picture(services: Services) -> None:
    page = text_of(export(services, EDITOR, chosen(services), "html"))
    assert page.count("src=") == page.count('src="data:image/jpeg;base64,') == 3
    assert "default-src 'none'" in page
    assert "<script" not in page


@pytest.mark.parametrize(
    "name", ["=cmd()", "+1", "-1", "@SUM(A1)", "a;=cmd()", '";=1+1', " =1", "\uff1d1", "'=1", "=1\n=2", "\t=1"]
)
def test_no_cell_of_a_csv_is_a_formula(name: str) -> None:
    data = listing.as_csv([{"file": name, "score": -0.25, "label": None}]).decode()
    assert next(csv.DictReader(io.StringIO(data)))["score"] == "-0.25"
    for delimiter in ",;\t":
        for row in list(csv.reader(io.StringIO(data), delimiter=delimiter))[1:]:
            texts = [cell.strip(' "') for cell in row if cell != "-0.25"]
            assert not [cell for cell in texts if cell.startswith(("=", "+", "-", "@", "\uff1d"))]


def test_ffmpeg_reads_every_name_that_its_list_can_express(new_video: Path, tmp_path: Path) -> None:
    names = ["it's.mp4", "a b#c?d%41.mp4", "http:x.mp4", "back\\slash.mp4", "'.mp4", " lead.mp4", "-i.mp4", "é|ü.mp4",
             "d'ir/file 'x'.mp4", "bad\udcff.mp4"]  # fmt: skip
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(new_video, tmp_path / name)
    (tmp_path / "videos.ffconcat").write_bytes(listing.as_concat(names))
    command = ["ffmpeg", "-v", "error", "-f", "concat", "-safe", "0", "-i", "videos.ffconcat", "-c", "copy", "out.mkv"]
    if shutil.which("ffmpeg") is None:
        pytest.skip("there is no ffmpeg")
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "out.mkv").stat().st_size > 0.9 * len(names) * _stream_bytes(new_video)
    for refused in ("a\nfile '/etc/passwd'.mp4", "a\r.mp4"):
        with pytest.raises(InvalidSetting, match="line end"):
            listing.as_concat([refused])


def _stream_bytes(path: Path) -> int:
    probed = subprocess.run(
        ["ffprobe", "-v", "error", "-show_entries", "packet=size", "-of", "csv=p=0", str(path)],
        capture_output=True,
        check=True,
    )
    return sum(map(int, probed.stdout.replace(b",", b"").split()))
