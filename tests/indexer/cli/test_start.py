"""Commands that only read tables must not wait for what embeds videos."""

import json
import subprocess
import sys
from pathlib import Path

from indexer.retrieval.library import Library
from tests.conftest import REPOSITORY

COMMANDS = """
import contextlib, io, json, sys
from indexer.cli.main import app

for command in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(io.StringIO()):
        app(command, standalone_mode=False)
    print(json.dumps([command[0], sorted({"torch", "faiss", "numpy", "gradio", "alembic", "av"} & set(sys.modules))]))
"""


def test_reading_a_library_loads_no_more_than_it_reads(built: Path, tmp_path: Path) -> None:
    with Library.open(built, device="cpu") as library:
        video = next(iter(library.catalogue.videos())).id
    place = ["--index", str(built)]
    commands = [
        ["--help"],
        ["info", *place],
        ["search", video, *place],
        ["search", video, "--split", "train", "--moments", *place],
        ["export", str(tmp_path / "out"), *place],
    ]
    child = [sys.executable, "-c", COMMANDS, json.dumps(commands)]
    done = subprocess.run(child, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=True)
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        ["--help", []],
        ["info", ["numpy"]],
        ["search", ["numpy"]],
        ["search", ["numpy"]],
        ["export", ["numpy"]],
    ]
