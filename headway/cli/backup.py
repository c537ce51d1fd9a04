"""`headway backup`: everything, in a folder."""

from pathlib import Path
from typing import Annotated

import typer

from headway.cli.exit_codes import ExitCode
from headway.cli.session import finish, home_of, options_of
from headway.cli.stack.gateway_role import Report, nats_of_running_stack, run_role, running_nats
from headway.cli.stack.home import Home
from headway.cli.stack.role_progress import RoleProgress
from headway.cli.view.consoles import say
from headway.cli.view.output import Output, OutputOption
from headway.cli.view.role_report import show_report
from headway.runtime.clock import SystemClock

app = typer.Typer()


@app.command("backup")
def backup(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(help="An empty folder, or one to be made.", resolve_path=True)],
    output: OutputOption = Output.TABLE,
) -> None:
    """Copy every record and every file that a record names into a folder, while headway runs or is stopped.

    The records are those of one moment; each file is checked while it is copied. Not in it: keys themselves (only their
    digests), logs of jobs, events, the data root, results that hosts have not delivered yet.

    Exit codes: 0 everything is in it; 1 done, but some files or records are gone (they are listed); 5 refused, such as
    a folder that is not empty; 6 headway or nats-server does not answer.
    """
    home = Home(home_of(options_of(ctx)))
    finish(_backup(home, folder, output), home=home.root)


async def _backup(home: Home, folder: Path, output: Output) -> ExitCode:
    with RoleProgress(SystemClock()) as progress:
        report, is_complete = await _run(home, folder, progress)
    show_report(report, output)
    say(f"restore it with: headway restore {folder} --home EMPTY_FOLDER", "cyan")
    return ExitCode.OK if is_complete else ExitCode.JOB_FAILED


async def _run(home: Home, folder: Path, progress: RoleProgress) -> tuple[Report, bool]:
    role = ["backup", str(folder)]
    if home.is_held():
        return await run_role(home, nats_of_running_stack(home), role, progress.show)
    home.make()
    with home.held():
        async with running_nats(home) as nats:
            return await run_role(home, nats, role, progress.show)
