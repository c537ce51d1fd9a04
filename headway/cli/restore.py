"""`headway restore`: a new home from a backup."""

from pathlib import Path
from typing import Annotated

import typer

from headway.cli.exit_codes import ExitCode
from headway.cli.session import finish, home_of, options_of
from headway.cli.stack.gateway_role import run_role, running_nats
from headway.cli.stack.home import Home
from headway.cli.stack.role_progress import RoleProgress
from headway.cli.view.consoles import say
from headway.cli.view.output import Output, OutputOption
from headway.cli.view.role_report import show_report
from headway.contract.errors import Code
from headway.runtime.clock import SystemClock
from headway.runtime.remote_error import RemoteError

app = typer.Typer()


@app.command("restore")
def restore(
    ctx: typer.Context,
    folder: Annotated[
        Path, typer.Argument(help="What `headway backup` wrote.", exists=True, file_okay=False, resolve_path=True)
    ],
    output: OutputOption = Output.TABLE,
) -> None:
    """Make a home from a backup: name an empty folder, or one to be made, with --home.

    Everything of the backup is checked before and while it is copied. When it was broken off, run it again.

    Exit codes: 0 everything of the backup is there; 1 done, but some files or records of it are gone (they are listed);
    5 refused, such as a home that is not empty, or no whole backup; 6 nats-server does not start.
    """
    home = Home(home_of(options_of(ctx)))
    finish(_restore(home, folder, output), home=home.root)


async def _restore(home: Home, folder: Path, output: Output) -> ExitCode:
    _refuse_full(home)
    home.make()
    with home.held(), RoleProgress(SystemClock()) as progress:
        async with running_nats(home) as nats:
            report, is_complete = await run_role(home, nats, ["restore", str(folder)], progress.show)
    show_report(report, output)
    say(f"start it: headway up --home {home.root}", "cyan")
    return ExitCode.OK if is_complete else ExitCode.JOB_FAILED


def _refuse_full(home: Home) -> None:
    """Before nats-server makes a store there; the gateway's program looks again."""
    is_begun = (home.root / "gateway" / "restoring").exists()
    if not is_begun and any((home.root / name).exists() for name in ("gateway", "nats")):
        message = f"{home.root} is a home already; name an empty folder with --home"
        raise RemoteError(Code.FAILED_PRECONDITION, "HOME_NOT_EMPTY", message)
