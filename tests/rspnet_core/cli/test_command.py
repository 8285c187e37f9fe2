"""How all three programs begin and end: streams that take nothing, arguments that name nothing, completion."""

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from rspnet_core.cli.arguments import check_arguments
from rspnet_core.errors import InvalidSetting

MODULES = {"rspnet-index": "indexer.cli", "rspnet-train": "rspnet_core.cli", "rspnet-app": "app.cli"}
PROGRAMS = pytest.mark.parametrize("program", MODULES)


def shell(redirected: str, program: str, *arguments: object, **environment: str) -> "subprocess.CompletedProcess[str]":
    """A program started by a shell that redirects its streams."""
    command = [sys.executable, "-m", MODULES[program], *map(str, arguments)]
    return subprocess.run(
        ["bash", "-c", f'"$@" {redirected}', "shell", *command],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@PROGRAMS
@pytest.mark.parametrize("redirected", [">&-", ">/dev/full", ">&- <&-"])
def test_output_that_cannot_be_written_is_one_line_and_a_failure(program: str, redirected: str) -> None:
    done = shell(redirected, program, "--version")
    assert done.returncode == 1
    assert done.stderr.startswith(f"{program}: cannot write to standard output (") and done.stderr.count("\n") == 1


@PROGRAMS
def test_a_reader_that_goes_away_is_no_news(program: str) -> None:
    done = shell("| true; exit ${PIPESTATUS[0]}", program, "--help")
    assert (done.returncode, done.stderr) == (1, "")


@PROGRAMS
@pytest.mark.parametrize("redirected", ["2>&-", "2>/dev/full", ">&- 2>&- <&-", "2> >(true)"])
def test_without_stderr_the_exit_code_still_tells(program: str, redirected: str) -> None:
    done = shell(redirected, program, "")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "")


@PROGRAMS
def test_a_version_is_printed_and_completion_offered(program: str) -> None:
    assert shell("", program, "--version").stdout == f"rspnet {version('rspnet')}\n"
    asked = {f"_{program.upper().replace('-', '_')}_COMPLETE": "complete_bash"}
    words = {"COMP_WORDS": f"{program} ", "COMP_CWORD": "1"}
    commands = {"rspnet-index": "build", "rspnet-train": "pretrain", "rspnet-app": "serve"}
    assert commands[program] in shell("", program, **asked, **words).stdout.split()


def test_work_goes_on_to_its_end_when_nobody_can_read_its_progress(tmp_path: Path) -> None:
    code = """
import sys, pathlib
from rspnet_core.cli.command import program, run
from rspnet_core.cli.training import Bar
app = program("Show progress, then write a file.")
@app.command()
def work(file: pathlib.Path) -> None:
    with Bar() as bar:
        for step in range(3):
            bar.advance({"step": step, "epoch": step, "loss": 1.0})
    file.write_text("done")
run(app, "work")
"""
    for name, redirected in {"closed": ">&- 2>&- <&-", "full": ">/dev/full 2>/dev/full", "gone": "2> >(true)"}.items():
        command = ["bash", "-c", f'"$@" {redirected}', "shell", sys.executable, "-c", code, "work", tmp_path / name]
        assert subprocess.run(command, check=False).returncode == 0
        assert (tmp_path / name).read_text() == "done"


@pytest.mark.parametrize(
    ("environment", "shown"),
    [
        ({"PYTHONIOENCODING": "ascii"}, "\\u0434 \\xe9 \\udcff"),
        ({"PYTHONIOENCODING": "latin-1"}, "\\u0434 é \\udcff"),
        ({"PYTHONUTF8": "0", "LC_ALL": "C"}, "\\u0434 \\xe9 \\udcff"),
        ({"PYTHONUTF8": "1"}, "д é \\udcff"),
    ],
)
def test_a_name_that_an_encoding_lacks_is_escaped(environment: dict[str, str], shown: str) -> None:
    code = """
import typer, sys
from rspnet_core.cli.command import program, run
from rspnet_core.errors import QueryNotFound
app = program("Say a name twice.")
@app.command()
def say(name: str) -> None:
    print(name)
    raise QueryNotFound(name)
run(app, "say")
"""
    done = subprocess.run(
        [sys.executable, "-c", code, "say", "д é ".encode() + b"\xff"],
        env=os.environ | environment,
        capture_output=True,
        check=False,
    )
    encoding = "latin-1" if "latin-1" in environment.values() else "utf-8"
    assert done.returncode == 2, done.stderr
    assert done.stdout.decode(encoding) == f"{shown}\n"
    assert done.stderr.decode(encoding) == f"say: {shown}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["build", ""], "the argument after build is empty"),
        (["search", "a.mp4", "--index", ""], "the argument after --index is empty"),
        (["search", "a.mp4", "--index="], "--index is empty"),
        (["build", "a\nb"], r"has a line break in it: 'a\nb'"),
        (["build", "a\n"], "has a line break in it"),
        (["build", "a\u2028b"], "has a line break in it"),
        (["build", "--index=a\r"], "--index has a line break in it"),
        (["build", "ж" * 128], "has a name of 256 bytes, no file's has more than 255"),
        (["build", "x/" * 2048], "is a path of 4096 bytes, none has more than 4095"),
    ],
)
def test_an_argument_that_can_name_nothing_is_refused(arguments: list[str], said: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        check_arguments(arguments)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_names_that_can_be_are_let_through() -> None:
    """Fails where one of them is refused: then it raises."""
    check_arguments(["build", "x" * 255, "--json", "--index=a=b", f"postgresql://{'x' * 300}", "-", "x/" * 2000])
