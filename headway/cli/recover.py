"""`headway recover`: when the JetStream store is lost."""

import typer

from headway.cli.exit_codes import ExitCode
from headway.cli.global_options import headway
from headway.cli.session import finish, home_of, options_of
from headway.cli.stack.gateway_role import run_role, running_nats
from headway.cli.stack.home import Home
from headway.cli.stack.role_progress import RoleProgress
from headway.cli.view.consoles import say
from headway.cli.view.output import Output, OutputOption
from headway.cli.view.role_report import show_report
from headway.runtime.clock import SystemClock

app = typer.Typer()


@app.command("recover")
def recover(ctx: typer.Context, output: OutputOption = Output.TABLE) -> None:
    """Bring jobs, models, datasets, keys and settings back when the JetStream store is lost.

    For a headway that refuses writes with STORE_LOST. Stop it first. The records come from the gateway's own files (the
    folder `gateway` of the home); what the store still holds is kept where it is newer, so this can be repeated. Then
    every file of data and models is read and checked.

    Exit codes: 0 all is there again, or nothing was lost; 1 done, but some records or files are gone (they are listed);
    5 refused, such as while headway runs; 6 nats-server does not start.
    """
    home = Home(home_of(options_of(ctx)))
    finish(_recover(home, output), home=home.root)


async def _recover(home: Home, output: Output) -> ExitCode:
    home.make()
    with home.held(), RoleProgress(SystemClock()) as progress:
        async with running_nats(home) as nats:
            report, is_complete = await run_role(home, nats, ["recover"], progress.show)
    show_report(report, output)
    if report.get("state") == "whole":
        say("nothing is lost: the store holds the records that the gateway knows", "green")
    else:
        say(f"start it again: {headway()} up", "cyan")
    return ExitCode.OK if is_complete else ExitCode.JOB_FAILED
