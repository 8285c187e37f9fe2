"""What the README promises: its commands exist and stand in it, its Python runs."""

import re
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import app.cli.main
import indexer.cli.main
import rspnet_core.cli.main
from tests.conftest import REPOSITORY

README = (REPOSITORY / "README.md").read_text()


def commands(program: typer.Typer, *words: str) -> list[str]:
    """Every command of a Typer app as it is typed."""
    found = []
    for command in program.registered_commands:
        name = command.name or (command.callback.__name__ if command.callback else "")
        found.append(" ".join([*words, name.replace("_", "-")]))
    for group in program.registered_groups:
        assert group.typer_instance is not None
        found += commands(group.typer_instance, *words, group.name or "")
    return found


PROGRAMS = {
    "rspnet-index": indexer.cli.main.app,
    "rspnet-train": rspnet_core.cli.main.app,
    "rspnet-app": app.cli.main.app,
}


@pytest.mark.parametrize("command", [line for name, program in PROGRAMS.items() for line in commands(program, name)])
def test_every_command_stands_in_the_readme_and_has_help(command: str) -> None:
    assert command in README
    name, *words = command.split()
    for option in ("-h", "--help"):
        done = CliRunner().invoke(PROGRAMS[name], [*words, option])
        assert (done.exit_code, "Usage:" in done.output) == (0, True)


def test_the_two_commands_are_make_targets() -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    for command in re.findall(r"^make (\w+)", README, re.MULTILINE):
        assert re.search(rf"^{command}:", makefile, re.MULTILINE)


def test_the_python_example_runs(
    built: Path,
    sample_videos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / ".rspnet").symlink_to(built)
    (tmp_path / "demo" / "Bounce").symlink_to(sample_videos / "Bounce")
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    exec(compile(example, "README.md", "exec"), {})
    assert capsys.readouterr().out.startswith("1.000 Bounce")


def test_pictures_of_the_readme_are_there() -> None:
    for place in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README):
        assert (REPOSITORY / place).is_file()
