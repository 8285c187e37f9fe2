"""The image and the compose file, as far as they can be judged without a Docker engine."""

import fnmatch
import importlib.util
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from app.cli.main import app as serving
from indexer.cli.main import app as indexing
from tests.conftest import REPOSITORY

COMPOSE = REPOSITORY / "docker-compose.yml"
OURS = ("app", "app-gpu", "index", "index-gpu")


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return yaml.safe_load(COMPOSE.read_text())["services"]


@pytest.fixture(scope="module")
def steps() -> list[tuple[str, str]]:
    """The Dockerfile's instructions with their arguments, lines joined and comments left out."""
    text = re.sub(r"^#.*\n", "", (REPOSITORY / "app" / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    return [(name, rest.strip()) for name, _, rest in (line.strip().partition(" ") for line in lines)]


def test_the_compose_file_follows_the_compose_specification() -> None:
    if importlib.util.find_spec("check_jsonschema") is None:
        pytest.skip("check-jsonschema, which brings the specification's schema, is not installed")
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_all_that_a_service_names_is_there(services: dict[str, Any]) -> None:
    document = yaml.safe_load(COMPOSE.read_text())
    for name, service in services.items():
        assert set(service.get("depends_on", {})) <= set(services), name
        named = [volume.partition(":")[0] for volume in service["volumes"] if not volume.startswith("$")]
        assert set(named) <= set(document["volumes"]), name
    assert (REPOSITORY / services["app"]["build"]["dockerfile"]).is_file()


def test_nothing_runs_as_root_or_with_more_rights_than_it_needs(services: dict[str, Any]) -> None:
    for name in OURS:
        service = services[name]
        assert service["user"] == "10001:10001"
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in service["security_opt"]
        assert any(volume.endswith(":/videos:ro") for volume in service["volumes"])
    assert services["catalogue"]["user"] == "postgres"


def test_servers_have_health_checks_and_the_app_waits_for_what_it_needs(services: dict[str, Any]) -> None:
    for name in ("app", "app-gpu", "catalogue"):
        assert services[name]["healthcheck"]["test"][0] == "CMD"
    for name in ("app", "app-gpu"):
        conditions = {other: needed["condition"] for other, needed in services[name]["depends_on"].items()}
        index = name.replace("app", "index")
        assert conditions == {"catalogue": "service_healthy", index: "service_completed_successfully"}


def test_only_this_machine_reaches_the_app_and_nothing_else_has_a_port(services: dict[str, Any]) -> None:
    ports = [port for name, service in services.items() if name != "caddy" for port in service.get("ports", [])]
    assert ports
    assert services["caddy"]["profiles"] == ["tls"]
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert "ports" not in services["catalogue"]


def test_the_gpu_is_asked_for_in_its_profile_alone(services: dict[str, Any]) -> None:
    for name, service in services.items():
        is_gpu = name.endswith("-gpu")
        assert ("gpu" in service.get("profiles", [])) == is_gpu
        devices = service.get("deploy", {}).get("resources", {}).get("reservations", {}).get("devices", [])
        assert [device["capabilities"] for device in devices] == ([["gpu"]] if is_gpu else [])


@pytest.mark.parametrize(
    ("weights", "status", "expected"), [("", 0, 0), ("official:resnet18", 3, 0), ("a b.safetensors", 1, 1)]
)
def test_indexing_passes_weights_and_bears_failed_files(
    services: dict[str, Any], tmp_path: Path, weights: str, status: int, expected: int
) -> None:
    fake = tmp_path / "rspnet-index"
    fake.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {tmp_path}/arguments\nexit {status}\n')
    fake.chmod(0o755)
    command = [word.replace("$$", "$") for word in services["index"]["command"]]
    environment = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "WEIGHTS": weights}
    assert subprocess.run(command, env=environment, check=False).returncode == expected
    arguments = (tmp_path / "arguments").read_text().splitlines()
    assert arguments[:4] == ["build", "/videos", "--index", "/library"]
    assert arguments[6:] == (["--weights", weights] if weights else [])


def test_the_commands_of_image_and_compose_file_exist(services: dict[str, Any], steps: list[tuple[str, str]]) -> None:
    (serve,) = [yaml.safe_load(rest) for name, rest in steps if name == "CMD"]
    assert serve[0] == "rspnet-app"
    help_of_serve = CliRunner().invoke(serving, [serve[1], "--help"], env={"COLUMNS": "200"}).output
    assert all(option in help_of_serve for option in serve if option.startswith("--"))
    line = services["app"]["command"][2]
    assert all(option in help_of_serve for option in re.findall(r"--[a-z-]+", line))
    line = services["index"]["command"][2]
    help_of_build = CliRunner().invoke(indexing, ["build", "--help"], env={"COLUMNS": "200"}).output
    assert all(option in help_of_build for option in re.findall(r"--[a-z]+", line))


def test_the_image_has_two_stages_and_ends_without_root(steps: list[tuple[str, str]]) -> None:
    stages = [number for number, (name, _) in enumerate(steps) if name == "FROM"]
    assert len(stages) == 2
    last = steps[stages[1] :]
    assert ("USER", "10001:10001") in last
    assert not any(name == "RUN" for name, _ in last[last.index(("USER", "10001:10001")) :])
    assert all("--from=build" in rest for name, rest in last if name == "COPY")
    images = [rest.split()[0] for name, rest in steps if name == "FROM"]
    assert all("/" not in image for image in images), "images have no address of a registry"


def test_the_image_is_made_from_the_lock_and_the_packages_alone(steps: list[tuple[str, str]]) -> None:
    ignore = [
        line for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")
    ]
    assert ignore[0] == "*"
    kept = [line[1:] for line in ignore if line.startswith("!")]
    copied = [
        source for name, rest in steps if name == "COPY" and "--from" not in rest for source in shlex.split(rest)[:-1]
    ]
    for source in copied:
        assert (REPOSITORY / source).exists(), source
        assert any(fnmatch.fnmatch(source, pattern) for pattern in kept), source
    installs = [rest for name, rest in steps if name == "RUN" and "uv pip install" in rest]
    assert all("requirements.lock" in rest for rest in installs)
