"""The house: what may import what.

Packages, from the top down: ``app -> indexer -> rspnet_core``. Rooms, each of which may import those below it that are
named beside it, and the files in the root of its own package (errors, settings, text); nothing runs back up::

    rspnet_core   cli -> every room                     indexer   cli -> every room
                  tables -> pretext recognition                   benchmark -> retrieval catalogue
                  bench -> pretext inference                      retrieval -> ingest catalogue index
                  pretext -> recognition                          ingest -> catalogue index
                  recognition -> training                         heatmap
                  training -> weights video reports               catalogue -> index
                  weights -> models                               index
                  inference -> models
                  explain -> models reports
                  models                                app       cli, main, server -> every room
                  video: datasets clips -> reading                api -> page
                         reading -> making                        page -> session
                         store -> reading making                  session -> serving
                  reports                                         serving

Each third-party giant has one door, the only place that imports it.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

PACKAGES = {"rspnet_core": set[str](), "indexer": {"rspnet_core"}, "app": {"rspnet_core", "indexer"}}
"""Package -> packages that it may import."""

_LEARNING = {"rspnet_core/models", "rspnet_core/weights", "rspnet_core/video", "rspnet_core/video/reading",
             "rspnet_core/video/clips", "rspnet_core/video/datasets", "rspnet_core/video/store",
             "rspnet_core/reports"}  # fmt: skip
ROOMS: dict[str, set[str]] = {
    "rspnet_core/models": set(),
    "rspnet_core/weights": {"rspnet_core/models"},
    "rspnet_core/inference": {"rspnet_core/models"},
    "rspnet_core/explain": {"rspnet_core/models", "rspnet_core/reports"},
    "rspnet_core/reports": set(),
    "rspnet_core/video": set(),
    "rspnet_core/video/reading": {"rspnet_core/video", "rspnet_core/video/making"},
    "rspnet_core/video/clips": {"rspnet_core/video", "rspnet_core/video/reading"},
    "rspnet_core/video/datasets": {"rspnet_core/video/reading"},
    "rspnet_core/video/making": set(),
    "rspnet_core/video/store": {"rspnet_core/video", "rspnet_core/video/reading", "rspnet_core/video/making"},
    "rspnet_core/training": _LEARNING,
    "rspnet_core/recognition": _LEARNING | {"rspnet_core/training"},
    "rspnet_core/pretext": _LEARNING | {"rspnet_core/training", "rspnet_core/recognition", "rspnet_core/video/making"},
    "rspnet_core/tables": _LEARNING | {"rspnet_core/training", "rspnet_core/recognition", "rspnet_core/pretext"},
    "rspnet_core/bench": _LEARNING | {"rspnet_core/training", "rspnet_core/pretext", "rspnet_core/inference"},
    "indexer/index": set(),
    "indexer/catalogue": {"indexer/index"},
    "indexer/ingest": {"indexer/catalogue", "indexer/index"},
    "indexer/retrieval": {"indexer/ingest", "indexer/catalogue", "indexer/index"},
    "indexer/benchmark": {"indexer/retrieval", "indexer/ingest", "indexer/catalogue"},
    "indexer/heatmap": set(),
    "indexer/bench": {"indexer/retrieval", "indexer/ingest", "indexer/catalogue", "indexer/index"},
    "app/serving": set(),
    "app/session": {"app/serving"},
    "app/page": {"app/session", "app/serving"},
    "app/api": {"app/page", "app/session", "app/serving"},
}
"""Room -> rooms of its own package that it may import. A folder below a room that is not named here belongs to it;
``cli`` and the files in a package's root stand above all rooms, or (errors, settings) below them."""

_ROOT_FILES = ("errors", "config", "text", "ahead", "atomic", "cores", "heap", "progress", "cli/command")
FOUNDATIONS = {"rspnet_core", *(f"rspnet_core/{name}" for name in _ROOT_FILES)}
"""Files that every room may import."""
FACES = {"rspnet_core/checkpoint", "rspnet_core/losses", "rspnet_core/cam", "rspnet_core/video/decode"}
"""Names that other people's programs import; nothing here does."""

DOORS = {
    "decord": "rspnet_core/video/",
    "av": "rspnet_core/video/",
    "faiss": "indexer/index/",
    "sqlalchemy": "indexer/catalogue/",
    "alembic": "indexer/catalogue/",
    "gradio": "app/",
    "ray": "indexer/ingest/engines/",
    "openvino": "rspnet_core/inference/",
    "onnxruntime": "rspnet_core/inference/",
}
MOST_LINES = 300

SOURCES = sorted(
    path.relative_to(REPOSITORY).as_posix() for package in PACKAGES for path in (REPOSITORY / package).rglob("*.py")
)
MODULES = {path.removesuffix(".py").removesuffix("/__init__"): path for path in SOURCES}


@cache
def parsed(path: str) -> ast.Module:
    return ast.parse((REPOSITORY / path).read_text())


def imports(path: str) -> Iterator[str]:
    """Every module that a file imports, anywhere in it, as a path: ``rspnet_core/errors``."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name.replace(".", "/") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            module = node.module.replace(".", "/")
            submodules = [name for alias in node.names if (name := f"{module}/{alias.name}") in MODULES]
            yield from submodules or [module]


def room_of(path: str) -> str:
    """The innermost room that a file lies in; its package where it lies in none."""
    folders = [folder.as_posix() for folder in Path(path).parents]
    return next((folder for folder in folders if folder in ROOMS), path.partition("/")[0])


@pytest.mark.parametrize("path", SOURCES)
def test_imports_point_one_way_and_giants_have_one_door(path: str) -> None:
    package, room = path.partition("/")[0], room_of(path)
    for module in imports(path):
        root = module.partition("/")[0]
        assert root not in PACKAGES or root in PACKAGES[package] | {package}, f"{path} imports {module}"
        assert path.startswith(DOORS.get(root, "")), f"{path} imports {root}, whose door is {DOORS[root]}"
        assert module not in FACES, f"{path} imports {module}, which is there for other people's programs"
        is_free = path.removesuffix(".py") in FACES or module in FOUNDATIONS
        if root == package and room in ROOMS and not is_free:
            target = room_of(MODULES[module])
            assert target in ROOMS[room] | {room}, f"{path} imports {module}: {room} may not import {target}"


def test_no_rooms_import_each_other_in_a_circle() -> None:
    assert list(TopologicalSorter(ROOMS).static_order())  # CycleError otherwise
    assert all(allowed <= ROOMS.keys() for allowed in ROOMS.values())


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_room_says_what_it_holds_and_what_it_may_import(room: str) -> None:
    text = ast.get_docstring(parsed(f"{room}/__init__.py"))
    assert text is not None
    assert len(text.splitlines()) <= 12
    assert room == "rspnet_core/video" or "May import" in text


@pytest.mark.parametrize("path", SOURCES)
def test_a_file_holds_one_idea(path: str) -> None:
    lines = len((REPOSITORY / path).read_text().splitlines())
    assert lines <= MOST_LINES, f"{path} has {lines} lines: which two ideas does it hold?"


@pytest.mark.parametrize("path", [path for path in SOURCES if "/migrations/versions/" not in path])
def test_every_public_name_is_documented(path: str) -> None:
    tree = parsed(path)
    assert ast.get_docstring(tree), f"{path} says nothing of itself"
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{path}: {node.name}"
            for member in node.body if isinstance(node, ast.ClassDef) else []:
                if isinstance(member, ast.FunctionDef) and not member.name.startswith("_"):
                    assert ast.get_docstring(member), f"{path}: {node.name}.{member.name}"


@pytest.mark.parametrize(
    "module", ["rspnet_core.video.reading.sandbox", "rspnet_core.video.reading.decode", "indexer.cli.main"]
)
def test_what_must_start_fast_does_not_load_pytorch(module: str) -> None:
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_what_runs_on_a_store_needs_no_decoders() -> None:
    """A GPU machine without a network may have none (``make gpu-pack``)."""
    modules = (
        "cli.main",
        "pretext.pretrain",
        "pretext.motion_test",
        "tables.compare_tasks",
        "tables.task_table",
        "bench.store_speed",
        "bench.encode_speed",
    )
    absent = "sys.modules.update(dict.fromkeys(('av', 'decord', 'sqlalchemy', 'faiss', 'gradio')))"
    code = f"import sys; {absent}; import {', '.join(f'rspnet_core.{module}' for module in modules)}"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert ran.returncode == 0, ran.stderr.decode()
