"""What the README and the pages of docs/ promise: their commands exist and are typed rightly, their Python runs."""

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

import app.cli.main
import indexer.cli.main
import rspnet_core.cli.main
from rspnet_core.models import Network
from tests.conftest import REPOSITORY

README = (REPOSITORY / "README.md").read_text()
PAGES = {"README.md": README} | {f"docs/{path.name}": path.read_text() for path in sorted(REPOSITORY.glob("docs/*.md"))}
PROGRAMS = {
    "rspnet-index": indexer.cli.main.app,
    "rspnet-train": rspnet_core.cli.main.app,
    "rspnet-app": app.cli.main.app,
}
OPTIONS_OF_OTHERS = {"--nproc-per-node", "--profile", "--rm"}


def commands(name: str) -> dict[str, Any]:
    """Every command of a program as it is typed."""

    def below(command: Any, words: str) -> Iterator[tuple[str, Any]]:
        if hasattr(command, "commands"):
            for part, inner in command.commands.items():
                yield from below(inner, f"{words} {part}")
        else:
            yield words, command

    return dict(below(typer.main.get_command(PROGRAMS[name]), name))


COMMANDS = {words: command for name in PROGRAMS for words, command in commands(name).items()}


def options_of(words: str) -> set[str]:
    """The options that a command takes."""
    return {name for option in COMMANDS[words].params for name in option.opts if name.startswith("--")}


def blocks(language: str) -> list[tuple[str, str]]:
    """Page and text of each fenced block."""
    pattern = rf"^```{language}\n(.*?)^```$"
    return [
        (page, text) for page, whole in PAGES.items() for text in re.findall(pattern, whole, re.DOTALL | re.MULTILINE)
    ]


def typed() -> list[tuple[str, str]]:
    """Page and line of each command of ours in blocks of ``console`` and ``sh``."""
    lines = [(page, line[2:]) for page, text in blocks("console") for line in text.splitlines() if line[:2] == "$ "]
    lines += [(page, line) for page, text in blocks("sh") for line in text.replace("\\\n", " ").splitlines()]
    parts = [(page, part.strip()) for page, line in lines for part in line.split(" #")[0].split("&&")]
    return [(page, part) for page, part in parts if part.startswith(tuple(PROGRAMS))]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_stands_on_a_page_and_has_help(command: str) -> None:
    assert any(command in " ".join(text.split()) for page, text in PAGES.items() if page != "README.md")
    assert f"| `{command}` |" in README
    name, *words = command.split()
    for option in ("-h", "--help"):
        done = CliRunner().invoke(PROGRAMS[name], [*words, option])
        assert (done.exit_code, "Usage:" in done.output) == (0, True)


@pytest.mark.parametrize(("page", "line"), typed())
def test_every_example_is_a_command_with_its_options(page: str, line: str) -> None:
    arguments = shlex.split(line)
    words = next(" ".join(arguments[:count]) for count in (3, 2) if " ".join(arguments[:count]) in COMMANDS)
    parsed = COMMANDS[words].make_context(words, arguments[len(words.split()) :])  # raises for what it does not take
    assert parsed.args == []


@pytest.mark.parametrize("page", PAGES)
def test_every_option_that_is_named_exists(page: str) -> None:
    options = set().union(*map(options_of, COMMANDS))
    options |= {
        name for program in PROGRAMS.values() for each in typer.main.get_command(program).params for name in each.opts
    }
    text = re.sub(r"^```text\n.*?^```$", "", PAGES[page], flags=re.DOTALL | re.MULTILINE)  # arrows
    named = set(re.findall(r"(?<![\w-])--[a-z]+(?:-[a-z]+)*(?![\w-])", text))
    assert named <= options | OPTIONS_OF_OTHERS | {"--help"}


def test_the_readme_is_a_front_page() -> None:
    assert len(README.splitlines()) <= 250
    assert {f"docs/{name}" for name in re.findall(r"\(docs/([\w-]+\.md)", README)} <= set(PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_commands_of_make_are_its_targets(page: str) -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    for command in re.findall(r"(?:^|`)make ([\w-]+)", PAGES[page], re.MULTILINE):
        assert re.search(rf"^{command}:", makefile, re.MULTILINE)


@pytest.mark.parametrize(("page", "example"), blocks("python"))
def test_python_examples_run(
    page: str,
    example: str,
    built: Path,
    sample_videos: Path,
    small_weights: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / ".rspnet").symlink_to(built)
    (tmp_path / "demo" / "Bounce").symlink_to(sample_videos / "Bounce")
    for suffix in (".safetensors", ".json"):
        shutil.copy(small_weights.with_suffix(suffix), tmp_path / f"model{suffix}")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(example, page, "exec"), names)
    assert capsys.readouterr().out.startswith("1.000 Bounce" if "print(" in example else "")
    if "save_pretrained" in example:
        assert (tmp_path / "folder" / "model.safetensors").is_file()
    if "differences" in names:
        assert isinstance(names["differences"](), Network)


@pytest.mark.parametrize("page", PAGES)
def test_pictures_and_files_that_are_linked_are_there(page: str) -> None:
    folder = (REPOSITORY / page).parent
    for place in re.findall(r"\]\(([^)#]+)[^)]*\)", PAGES[page]):
        assert place.startswith("https://") or (folder / place).is_file(), place
