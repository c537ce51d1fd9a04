"""`python -m headway.testing.discord`: a fake Discord as a process of its own."""

import argparse
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from headway.contract.errors import PortInUse
from headway.runtime.clock import Clock
from headway.runtime.keys import write_key_file
from headway.runtime.logs import configure_logging
from headway.runtime.run_file import announced
from headway.runtime.service import Service, run_service
from headway.testing.discord.keeping import Kept, read_kept, write_kept
from headway.testing.discord.server import OWNER_ID, FakeDiscord, fake_discord
from headway.testing.discord.traffic import DISCORDS_RATE

NAME = "fake_discord"
MEMORY = "fake_discord.json"
"""In the home folder: the conversation and the commands, for the next start."""
_KEEP_SECONDS = 1.0
TOKEN_VARIABLE = "HEADWAY_FAKE_DISCORD_TOKEN"  # noqa: S105 - the name of a variable


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asks for.

    Attributes:
        port: on 127.0.0.1; 0: any free one.
        home: folder that says where it runs; None: say it on standard output.
        owner_id: whose direct messages the bot uses.
        has_limits: whether messages are limited to a rate as Discord's are.
    """

    port: int
    home: Path | None
    owner_id: str
    has_limits: bool


def main() -> int:
    """Run until told to stop; returns the exit code."""
    options = read_options(sys.argv[1:])
    configure_logging(NAME, roots={"<home>": options.home} if options.home else None)
    return run_service(lambda: _serve(options))


def read_options(arguments: list[str]) -> Options:
    """The options of a command line; ends the process where they make no sense."""
    parser = argparse.ArgumentParser(prog="python -m headway.testing.discord", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; 0, the default, takes any free one")
    parser.add_argument("--home", type=Path, help="write address and token into the run folder of this home folder")
    parser.add_argument("--owner-id", default=OWNER_ID, help="Discord id of the owner (default %(default)s)")
    parser.add_argument("--no-limits", action="store_true", help="take messages as fast as they come")
    parser.epilog = f"The bot's token is taken from {TOKEN_VARIABLE}; without it one is made up and printed."
    found = parser.parse_args(arguments)
    return Options(found.port, found.home, found.owner_id, not found.no_limits)


async def _serve(options: Options) -> int:
    async with Service(NAME) as service:
        discord = await _open(service, options)
        if options.home is None:
            sys.stdout.write(variables(discord))
            sys.stdout.flush()
        else:
            memory = Memory(options.home / MEMORY, discord, service.clock)
            service.loop("keep what is known", memory.run)
            await service.enter(_announced(options.home, discord))
        return await service.run()


async def _open(service: Service, options: Options) -> FakeDiscord:
    try:
        return await service.enter(
            fake_discord(
                token=os.environ.get(TOKEN_VARIABLE, ""),
                owner_id=options.owner_id,
                port=options.port,
                rate=DISCORDS_RATE if options.has_limits else None,
                clock=service.clock,
                kept=read_kept(options.home / MEMORY, options.owner_id) if options.home else None,
            )
        )
    except OSError as error:
        raise PortInUse(f"port {options.port} cannot be had; take another with --port (0: any free one)") from error


class Memory:
    """Writes what the fake Discord knows into a file, when it has changed."""

    def __init__(self, path: Path, discord: FakeDiscord, clock: Clock) -> None:
        self._path = path
        self._discord = discord
        self._clock = clock

    async def run(self) -> None:
        """Until cancelled; the last write is at the end."""
        kept: Kept | None = None
        try:
            while True:
                await self._clock.sleep(_KEEP_SECONDS)
                kept = self._keep(kept)
        finally:
            self._keep(kept)

    def _keep(self, before: Kept | None) -> Kept:
        now = self._discord.keep()
        if now != before:
            write_kept(self._path, now)
        return now


def variables(discord: FakeDiscord) -> str:
    """The environment that leads a notifier here, for a shell."""
    prefix = "HEADWAY_NOTIFIER__DISCORD__"
    found = {
        "TOKEN": discord.token,
        "OWNER_ID": str(discord.owner_id),
        "API_BASE": discord.api_base,
        "GATEWAY_URL": discord.gateway_url,
    }
    return "".join(f"export {prefix}{name}={value}\n" for name, value in found.items())


@asynccontextmanager
async def _announced(home: Path, discord: FakeDiscord) -> AsyncGenerator[None, None]:
    """Say where it runs, and leave the token for `headway dm` to read: 0600, below a folder of the same user's."""
    token_file = home / "run" / f"{NAME}.token"
    write_key_file(token_file, discord.token)
    async with announced(home, NAME, discord.address):
        yield
    token_file.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
