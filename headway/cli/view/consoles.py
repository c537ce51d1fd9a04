"""The two consoles: data on stdout, everything said to people on stderr."""

from functools import cache

from rich.console import Console
from rich.table import Table

# A table in a pipe is read by programs: no line is cut or folded.
_PIPE_WIDTH = 4096
# The control characters of ASCII and Latin-1 but for line feed and tab; escape sequences begin with one of them.
_CONTROLS = dict.fromkeys({*range(32), *range(0x7F, 0xA0)} - {0x09, 0x0A}, "\N{REPLACEMENT CHARACTER}")


@cache
def out() -> Console:
    """stdout: the data that was asked for, and nothing else."""
    console = Console(highlight=False, soft_wrap=False)
    return console if console.is_terminal else Console(highlight=False, width=_PIPE_WIDTH, no_color=True)


@cache
def err() -> Console:
    """stderr: progress, notices and errors. In a pipe lines are not folded."""
    console = Console(stderr=True, highlight=False)
    return console if console.is_terminal else Console(stderr=True, highlight=False, width=_PIPE_WIDTH, no_color=True)


def visible(text: str) -> str:
    """A text from elsewhere, fit for a terminal: no character of it can move the cursor or change a colour."""
    return text.translate(_CONTROLS)


def print_table(table: Table, console: Console | None = None) -> None:
    """A table on stdout, or on another console; in a pipe without the blanks that pad its last column."""
    console = console or out()
    if console.is_terminal:
        console.print(table)
        return
    with console.capture() as captured:
        console.print(table)
    for line in captured.get().splitlines():
        console.print(line.rstrip(), markup=False)


def say(text: str, style: str = "") -> None:
    """One line for people on stderr; square brackets in it are only brackets."""
    err().print(visible(text), style=style or None, markup=False)
