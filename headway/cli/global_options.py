"""Options that every command takes, wherever they stand on the line."""

import shlex
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

_typed: ContextVar[str] = ContextVar("typed", default="headway")
WITH_VALUE = frozenset({"--home", "--address", "--key-file", "--ca-file", "--project"})


@dataclass(frozen=True, slots=True)
class GlobalOptions:
    """What was asked for on the command line; None leaves it to the environment and the home folder."""

    home: Path | None = None
    address: str | None = None
    key_file: Path | None = None
    project: str | None = None
    ca_file: Path | None = None


def remember(options: GlobalOptions) -> None:
    """Keep how this command line reaches its gateway, for the commands that it tells people to type next."""
    given = {
        "--home": options.home,
        "--address": options.address,
        "--key-file": options.key_file,
        "--ca-file": options.ca_file,
    }
    words = [f"{name} {shlex.quote(str(value))}" for name, value in given.items() if value]
    _typed.set(" ".join(["headway", *words]))


def headway() -> str:
    """`headway` with the options that reach the same place as this command."""
    return _typed.get()


def hoist(arguments: Sequence[str]) -> list[str]:
    """Move the global options to the front, where typer wants them; what follows `--` stays.

    `jobs list --project demo -o json` becomes `--project demo jobs list -o json`.
    """
    front: list[str] = []
    rest: list[str] = []
    waiting = iter(arguments)
    for argument in waiting:
        if argument == "--":
            rest += [argument, *waiting]
        elif argument in WITH_VALUE:
            front += [argument, *([value] if (value := next(waiting, None)) is not None else [])]
        elif argument.partition("=")[0] in WITH_VALUE:
            front.append(argument)
        else:
            rest.append(argument)
    return front + rest
