"""The root of the command line: which commands there are, and the options they share.

A command's module is imported only when the line names it, so that `headway --help` answers at once.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from headway.cli.epilog import epilog
from headway.cli.global_options import GlobalOptions, remember

_START = "Start"
_WORK = "Work"
_OPERATE = "Operate"


@dataclass(frozen=True, slots=True)
class Entry:
    """One command or group of commands.

    Attributes:
        name: as typed.
        module: holds `app`, a typer application.
        summary: one line of the root's help.
        panel: heading that it stands under.
        is_group: whether it has sub-commands.
    """

    name: str
    module: str
    summary: str
    panel: str
    is_group: bool = False


COMMANDS = (
    Entry("up", "headway.cli.up", "Start all services on this machine, until Ctrl-C.", _START),
    Entry("demo", "headway.cli.demo", "Train a model on real data, end to end, and show each step.", _START),
    Entry(
        "doctor", "headway.cli.doctor", "Check the installation and what is running, with a fix for each fault.", _START
    ),
    Entry("submit", "headway.cli.submit", "Queue a job from a YAML or TOML file.", _WORK),
    Entry("distill", "headway.cli.distill", "Queue a job that teaches a smaller model what a larger one knows.", _WORK),
    Entry("validate", "headway.cli.validate", "Check a job file and say what would happen; queues nothing.", _WORK),
    Entry(
        "jobs",
        "headway.cli.jobs",
        "List, read, watch, steer, explain and cancel jobs; read their logs.",
        _WORK,
        is_group=True,
    ),
    Entry("models", "headway.cli.models", "List and read models; pull one into a folder.", _WORK, is_group=True),
    Entry("datasets", "headway.cli.datasets", "Upload, list, read and preview datasets.", _WORK, is_group=True),
    Entry("hosts", "headway.cli.hosts", "List trainer hosts.", _OPERATE, is_group=True),
    Entry(
        "host", "headway.cli.host", "Join this machine to a control plane as a trainer host.", _OPERATE, is_group=True
    ),
    Entry("config", "headway.cli.config", "Read and set the default execution mode.", _OPERATE, is_group=True),
    Entry(
        "dm", "headway.cli.dm", "Talk to the Discord bot without Discord: see `headway up --fake-discord`.", _OPERATE
    ),
    Entry("backup", "headway.cli.backup", "Copy everything into a folder, while headway runs.", _OPERATE),
    Entry("restore", "headway.cli.restore", "Make a new home from a backup.", _OPERATE),
    Entry("recover", "headway.cli.recover", "Bring the records back when the JetStream store is lost.", _OPERATE),
    Entry("events", "headway.cli.events", "Follow the events on NATS.", _OPERATE, is_group=True),
    Entry("on", "headway.cli.on", "Run a command for each event, such as a job's end.", _OPERATE),
    Entry("replay", "headway.cli.replay", "Show a job's events again, at the pace they had or faster.", _OPERATE),
)


def build_app(arguments: Sequence[str]) -> typer.Typer:
    """The command line for these arguments; commands that they do not name are only listed."""
    app = typer.Typer(
        name="headway",
        help="Train models: submit a job, watch it anywhere, never lose the model.",
        epilog=epilog(),
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    is_completing = "_HEADWAY_COMPLETE" in os.environ
    for entry in COMMANDS:
        _add(app, entry, load=is_completing or entry.name in arguments)
    return app


def _add(app: typer.Typer, entry: Entry, *, load: bool) -> None:
    if not load:
        app.command(entry.name, help=entry.summary, rich_help_panel=entry.panel)(_not_loaded)
        return
    loaded = import_module(entry.module).app
    if not isinstance(loaded, typer.Typer):
        raise TypeError(f"{entry.module}.app is no typer application")
    name = entry.name if entry.is_group else None
    app.add_typer(loaded, name=name, help=entry.summary if entry.is_group else None, rich_help_panel=entry.panel)


def _not_loaded() -> None:
    """Stands for a command in the root's help; the line did not name it."""


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"headway {version('headway')}")
        raise typer.Exit


def _root(
    ctx: typer.Context,
    home: Annotated[
        Path | None, typer.Option(help="Folder of this machine's keys, data and logs.", show_default="~/.headway")
    ] = None,
    address: Annotated[
        str | None, typer.Option(help="host:port of the gateway; found by itself for `headway up`.")
    ] = None,
    key_file: Annotated[Path | None, typer.Option(help="File that holds the key; HEADWAY_API_KEY works too.")] = None,
    project: Annotated[
        str | None, typer.Option(help="Project that bare ids belong to.", show_default="default")
    ] = None,
    ca_file: Annotated[Path | None, typer.Option(help="PEM certificate authority of the gateway: speak TLS.")] = None,
    show_version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    del show_version
    ctx.obj = GlobalOptions(home, address, key_file, project, ca_file)
    remember(ctx.obj)
