"""`headway doctor`: is everything installed, and does everything run?"""

from typing import Annotated

import typer
from rich.text import Text

from headway.cli.checks.installation import check_installation
from headway.cli.checks.machine import check_machine
from headway.cli.checks.services import check_services
from headway.cli.checks.verdict import Health, Verdict
from headway.cli.exit_codes import ExitCode
from headway.cli.global_options import GlobalOptions
from headway.cli.session import finish, home_of, options_of
from headway.cli.stack.home import Home
from headway.cli.view.consoles import out

app = typer.Typer()

_STYLES = {Health.OK: "green", Health.FAIL: "bold red", Health.NOTE: "yellow"}


@app.command("doctor")
def doctor(
    ctx: typer.Context,
    offline: Annotated[bool, typer.Option("--offline", help="Only the installation and this machine.")] = False,
) -> None:
    """Check the installation and what runs; each line is ok, a note, or a fault with its fix.

    Exits with 0 when there is no fault, with 6 when something does not answer, with 5 for any other fault.
    """
    options = options_of(ctx)
    finish(_examine(options, offline=offline), home=home_of(options))


async def _examine(options: GlobalOptions, *, offline: bool) -> ExitCode:
    home = Home(home_of(options))
    verdicts = [_show(verdict) for verdict in check_installation()]
    verdicts += [_show(verdict) for verdict in check_machine(home)]
    if not offline:
        verdicts += [_show(verdict) async for verdict in check_services(options, home.root)]
    return exit_code(verdicts)


def exit_code(verdicts: list[Verdict]) -> ExitCode:
    """The exit code for what was found; a thing that is away explains the faults that follow from it."""
    faults = [verdict for verdict in verdicts if verdict.health is Health.FAIL]
    if any(fault.is_reachability for fault in faults):
        return ExitCode.UNAVAILABLE
    return ExitCode.REFUSED if faults else ExitCode.OK


def _show(verdict: Verdict) -> Verdict:
    """Print a line as soon as it is known: a check may take seconds."""
    style = _STYLES[verdict.health]
    out().print(Text.assemble((f"{verdict.health.value:<5}", style), f" {verdict.what:<14} {verdict.detail}"))
    if verdict.fix:
        out().print(Text(f"{'':<21}fix: {verdict.fix}", style="cyan"))
    return verdict
