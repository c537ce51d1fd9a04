"""`headway config`: where jobs run unless they say otherwise."""

from enum import StrEnum
from typing import Annotated

import typer

from headway.cli.global_options import GlobalOptions
from headway.cli.session import finish, home_of, options_of, run_with_client
from headway.cli.view.consoles import print_table, say
from headway.cli.view.output import Output, OutputOption, pairs_table, show_item
from headway.cli.view.words import local_time
from headway.client import HeadwayClient, locate
from headway.contract.modes import mode_name, parse_mode
from headway.v1.system_service_pb2 import ExecutionConfig

app = typer.Typer(no_args_is_help=True)


class Mode(StrEnum):
    """What the default can be."""

    AUTO = "auto"
    LOCAL = "local"
    HOST = "host"


@app.command("get")
def get_config(ctx: typer.Context, output: OutputOption = Output.TABLE) -> None:
    """Read the default execution mode."""

    async def work(client: HeadwayClient) -> None:
        _show(await client.system.execution_config(), output)

    run_with_client(ctx, work)


@app.command("set-mode")
def set_mode(
    ctx: typer.Context,
    mode: Annotated[Mode, typer.Argument(help="auto: local unless a GPU is required; local; host: a remote one.")],
    output: OutputOption = Output.TABLE,
) -> None:
    """Change the default execution mode for jobs placed from now on; kept over restarts."""

    async def work(client: HeadwayClient) -> None:
        wanted = parse_mode(mode.value)
        if wanted is None:
            raise ValueError(mode)
        changed = await client.system.set_default_mode(wanted)
        say(f"was {mode_name(changed.previous.default_mode)}, is {mode_name(changed.current.default_mode)}")
        _show(changed.current, output)

    run_with_client(ctx, work)


@app.command("show")
def show_config(ctx: typer.Context) -> None:
    """Show what this command would connect to, and with which key; asks nobody."""
    options = options_of(ctx)

    async def work() -> None:
        _show_target(options)

    finish(work(), home=home_of(options))


def _show_target(options: GlobalOptions) -> None:
    target = locate(options.address, None, home_of(options))
    key = f"{target.key[:15]}..." if target.key else "none"
    print_table(
        pairs_table(
            [
                ("home", str(target.home)),
                ("gateway", target.address + (" (runs here)" if target.is_running else "")),
                ("key", str(options.key_file) if options.key_file else key),
                ("project", options.project or "default"),
            ]
        )
    )


def _show(config: ExecutionConfig, output: Output) -> None:
    mode = mode_name(config.default_mode)
    rows = [
        ("default mode", mode),
        ("changed", local_time(config.update_time) or "never: this is the start-up default"),
    ]
    show_item(config, mode, rows, output)
