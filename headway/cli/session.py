"""What every command that talks to a gateway shares: the connection, and how it ends."""

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import typer

from headway.cli.exit_codes import ExitCode, exit_code_of_error
from headway.cli.global_options import GlobalOptions
from headway.cli.view.errors import show_error, show_fault
from headway.client import HeadwayClient, RemoteError
from headway.client.locate import DEFAULT_PROJECT, home_folder
from headway.contract.errors import Code, HeadwayError, ServiceUnavailable
from headway.runtime.keys import read_key_file

Work = Callable[[HeadwayClient], Awaitable[ExitCode | None]]
"""What a command does with a client; None counts as OK."""


def run_with_client(ctx: typer.Context, work: Work) -> None:
    """Connect as the options say, do the work, and leave with its exit code.

    Raises:
        typer.Exit: always, unless the work ended well.
    """
    options = options_of(ctx)

    async def connected() -> ExitCode | None:
        async with connect(options) as client:
            return await work(client)

    finish(connected(), home=home_of(options))


def finish(work: Awaitable[ExitCode | None], *, home: Path | None = None) -> None:
    """Run a command to its end; errors are shown, and the exit code says what happened."""

    async def awaited() -> ExitCode | None:
        return await work

    try:
        code = asyncio.run(awaited())
    except (HeadwayError, RemoteError) as error:
        show_error(error, home=home)
        raise typer.Exit(exit_code_of_error(error.code)) from None
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        show_fault(str(error))
        raise typer.Exit(ExitCode.USAGE) from None
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    if code:
        raise typer.Exit(code)


def options_of(ctx: typer.Context) -> GlobalOptions:
    """The global options of this command line."""
    found = ctx.find_root().obj
    return found if isinstance(found, GlobalOptions) else GlobalOptions()


def home_of(options: GlobalOptions) -> Path:
    """The home folder that the options and the environment name."""
    return options.home.expanduser().absolute() if options.home else home_folder()


@asynccontextmanager
async def connect(options: GlobalOptions) -> AsyncGenerator[HeadwayClient, None]:
    """A client for the options; nothing is sent yet.

    Raises:
        ServiceUnavailable: when left by an error that says that nobody answers.
    """
    key = read_key_file(options.key_file.expanduser()) if options.key_file else None
    project = options.project or os.environ.get("HEADWAY_PROJECT") or DEFAULT_PROJECT
    async with HeadwayClient.connect(
        options.address, key, project=project, home=home_of(options), ca_file=options.ca_file
    ) as client:
        try:
            yield client
        except RemoteError as error:
            if error.reason != Code.UNAVAILABLE.name:
                raise
            # No service said this: gRPC did, in words about sockets.
            raise ServiceUnavailable(f"the gateway does not answer at {client.target.address}") from error
