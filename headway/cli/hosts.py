"""`headway hosts`: what jobs can run on."""

import typer

from headway.cli.session import run_with_client
from headway.cli.view.consoles import say
from headway.cli.view.hosts import host_view
from headway.cli.view.output import Output, OutputOption, show_items
from headway.client import HeadwayClient
from headway.runtime.clock import SystemClock

app = typer.Typer(no_args_is_help=True)


@app.callback()
def hosts() -> None:
    """List trainer hosts."""


@app.command("list")
def list_hosts(ctx: typer.Context, output: OutputOption = Output.TABLE) -> None:
    """List trainer hosts, those lost of late included."""

    async def work(client: HeadwayClient) -> None:
        found = await client.system.hosts()
        empty = "no hosts; start one with `headway up`, or `headway host join ADDRESS` on another machine"
        show_items(found.hosts, host_view(SystemClock().now()), output, empty=empty)
        if found.unreachable and output == Output.TABLE:
            say(f"not heard of within their lease: {', '.join(found.unreachable)}", "yellow")

    run_with_client(ctx, work)
