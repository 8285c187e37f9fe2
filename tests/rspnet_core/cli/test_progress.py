"""Progress that commands show: bars on a terminal, nothing where output is kept in a file."""

import io

from rich.console import Console

from rspnet_core.cli.progress import shown_on


def shown(*, is_terminal: bool) -> str:
    written = io.StringIO()
    log = Console(file=written, force_terminal=is_terminal, width=80)
    with shown_on(log) as progress:
        for done in range(1, 4):
            progress("[b]odd[/b].store, frozen", done, 3)
        progress("videos", 5, 9)
    return written.getvalue()


def test_each_thing_that_is_done_has_a_bar() -> None:
    told = shown(is_terminal=True)
    assert "[b]odd[/b].store, frozen" in told
    assert "3/3" in told
    assert "5/9" in told


def test_a_log_file_holds_no_bars() -> None:
    assert shown(is_terminal=False) == ""
