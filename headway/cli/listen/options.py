"""Options that the listening commands share, and how a wrong value is refused."""

import re
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated

import typer

from headway.cli.listen.times import parse_since
from headway.cli.listen.wanted import Wanted, wanted_of
from headway.cli.session import options_of
from headway.runtime.clock import SystemClock

SinceOption = Annotated[
    str,
    typer.Option(
        metavar="SPAN|TIME",
        help="Begin so long ago (90s, 10m, 2h, 3d) or at a time (2026-11-22T10:00:00Z), as far back as kept.",
        show_default="only what is new",
    ),
]
_NAME = re.compile(r"[A-Za-z0-9_-]{1,60}", re.ASCII)

JobOption = Annotated[str, typer.Option(metavar="JOB", help="Only those of this job: an id or a full name.")]


def durable_name(name: str) -> str:
    """The consumer behind a person's name for it; the prefix keeps it apart from those of headway's own services.

    Raises:
        ValueError: it can be none.
    """
    if not _NAME.fullmatch(name):
        raise ValueError("use letters, digits, '_' and '-', at most 60")
    return f"on-{name}"


@contextmanager
def refusing(option: str) -> Generator[None, None, None]:
    """Turn a ValueError about an option's value into wrong usage, which exits with 2."""
    try:
        yield
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None


def since_of(text: str) -> datetime | None:
    """The moment to begin from; None for what is new.

    Raises:
        BadParameter: it is none.
    """
    with refusing("--since"):
        return parse_since(text, SystemClock().now()) if text else None


def wanted_of_line(ctx: typer.Context, types: Iterable[str], job: str) -> Wanted:
    """Which events the line asks for; `--project` may stand anywhere on it.

    Raises:
        BadParameter: none can match.
        InvalidName: the job or the project can be none.
    """
    with refusing("EVENT"):
        return wanted_of(types, options_of(ctx).project, job)
