"""The house: packages import in one direction, and each third-party giant has one door."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

PACKAGES = ("rspnet_core", "indexer", "app")
ALLOWED = {"rspnet_core": set[str](), "indexer": {"rspnet_core"}, "app": {"rspnet_core", "indexer"}}
DOORS = {
    "decord": "rspnet_core/video/",
    "av": "rspnet_core/video/",
    "faiss": "indexer/index/",
    "sqlalchemy": "indexer/catalogue/",
    "alembic": "indexer/catalogue/",
    "gradio": "app/",
    "ray": "indexer/ingest/engines/",
}
SOURCES = sorted(path for package in PACKAGES for path in (REPOSITORY / package).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_imports_point_one_way_and_giants_have_one_door(path: Path) -> None:
    name = path.relative_to(REPOSITORY).as_posix()
    package = name.partition("/")[0]
    for module in imports(path):
        assert module not in set(PACKAGES) - {package} - ALLOWED[package], f"{name} imports {module}"
        if module in DOORS:
            assert name.startswith(DOORS[module]), f"{name} imports {module}, whose door is {DOORS[module]}"


@pytest.mark.parametrize(
    "module", ["rspnet_core.video.reading.sandbox", "rspnet_core.video.reading.decode", "indexer.cli.main"]
)
def test_what_must_start_fast_does_not_load_pytorch(module: str) -> None:
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
