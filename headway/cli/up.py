"""`headway up`: all services on this machine, in the foreground."""

import asyncio
import secrets
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from headway.cli.exit_codes import ExitCode
from headway.cli.global_options import headway
from headway.cli.session import finish, home_of, options_of
from headway.cli.stack.home import Home
from headway.cli.stack.ports import GATEWAY_PORT, choose_ports
from headway.cli.stack.running import Listener, running_stack
from headway.cli.stack.services import StackOptions, plan_services
from headway.cli.stack.supervisor import Notice, Supervisor
from headway.cli.view.consoles import print_table, say
from headway.runtime.clock import Clock, SystemClock

app = typer.Typer()


@app.command("up")
def up(
    ctx: typer.Context,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port of the gateway; 0: any free one.", show_default=str(GATEWAY_PORT)),
    ] = None,
    data_root: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            resolve_path=True,
            help="Folder that data paths of jobs start from.",
            show_default="data in the home folder",
        ),
    ] = None,
    fake_discord: Annotated[
        bool,
        typer.Option(
            "--fake-discord",
            help="Play Discord on this machine: what its bot tells you is shown here, and `headway dm` answers it.",
        ),
    ] = False,
) -> None:
    """Start all services on this machine, until Ctrl-C.

    nats-server, gateway, scheduler, a local trainer host and the notifier. What dies is started again. Logs lie in the
    home folder under logs/; warnings are shown here. Ctrl-C stops everything in order within ten seconds; a second
    Ctrl-C kills it.
    """
    home = Home(home_of(options_of(ctx)))
    token = f"fake.{secrets.token_urlsafe(32)}" if fake_discord else ""
    finish(_run(home, port, data_root, token), home=home.root)


async def _run(home: Home, port: int | None, data_root: Path | None, fake_discord_token: str) -> ExitCode:
    clock = SystemClock()
    begin, begin_time = clock.monotonic(), clock.now()
    home.refuse_if_held()
    options = StackOptions(home, choose_ports(port), data_root or home.data, fake_discord_token=fake_discord_token)
    try:
        async with running_stack(options, clock, Listener(show_notice, show_warning)) as supervisor:
            print_table(status_table(options, supervisor))
            say(f"ready after {clock.monotonic() - begin:.1f} s; logs in {home.logs}; Ctrl-C stops everything")
            say(_next_commands(options))
            await _stay(options, clock, begin_time)
    except asyncio.CancelledError:
        say("stopped")
    return ExitCode.OK


async def _stay(options: StackOptions, clock: Clock, begin_time: datetime) -> None:
    if options.fake_discord_token:
        # Late: aiohttp takes a fifth of a second, which no other `up` needs.
        from headway.cli.owner_dm.watching import watch_owner

        await watch_owner(options.home.root, clock, since=begin_time)
    await asyncio.Event().wait()


def show_notice(notice: Notice) -> None:
    """Tell a person that a service died or was killed."""
    say(f"{notice.service}: {notice.text}", "yellow")


def show_warning(service: str, level: str, text: str) -> None:
    """Pass a warning of a service's log on to a person."""
    say(f"{service}: {level}: {text}", "red" if level != "warning" else "yellow")


def status_table(options: StackOptions, supervisor: Supervisor) -> Table:
    """Each service with its state, address and process."""
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0), pad_edge=False)
    for title in ("service", "state", "address", "pid"):
        table.add_column(title, no_wrap=True)
    for plan in plan_services(options):
        condition = supervisor.conditions[plan.name]
        table.add_row(
            plan.name, f"[green]{condition.value}[/]", plan.address or "-", str(supervisor.pid_of(plan.name) or "-")
        )
    return table


def _next_commands(options: StackOptions) -> str:
    dm = f"\n  {headway()} dm                       talk to the bot, as you would in Discord"
    return (
        "next, in another terminal:\n"
        f"  {headway()} submit job.yaml --wait   queue a job and watch it\n"
        f"  {headway()} jobs list                what there is\n"
        f"  {headway()} doctor                   whether all is well"
        f"{dm if options.fake_discord_token else ''}"
    )
