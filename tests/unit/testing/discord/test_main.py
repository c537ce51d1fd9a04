import asyncio
import os
import re
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from headway.testing.discord.__main__ import read_options
from headway.testing.eventually import eventually

COMMAND = [sys.executable, "-m", "headway.testing.discord"]


def test_the_command_line_is_read() -> None:
    options = read_options(["--port", "7", "--home", "/somewhere", "--owner-id", "9", "--no-limits"])
    assert (options.port, options.home, options.owner_id, options.has_limits) == (7, Path("/somewhere"), "9", False)


@asynccontextmanager
async def running(*arguments: str, environ: Mapping[str, str] | None = None) -> AsyncGenerator[Process, None]:
    """The process; told to stop at the end, which it does in order."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND, *arguments, stdout=PIPE, stderr=DEVNULL, env={**os.environ, **(environ or {})}
    )
    try:
        yield process
    finally:
        process.terminate()
    assert await process.wait() == 0


async def test_a_process_by_itself_says_how_a_bot_finds_it() -> None:
    async with running() as process:
        assert process.stdout is not None
        lines = [(await process.stdout.readline()).decode() for _ in range(4)]
        found = dict(re.findall(r"export HEADWAY_NOTIFIER__DISCORD__(\w+)=(\S+)", "".join(lines)))
        assert set(found) == {"TOKEN", "OWNER_ID", "API_BASE", "GATEWAY_URL"}
        headers = {"Authorization": f"Bot {found['TOKEN']}"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.get(f"{found['API_BASE']}/users/@me") as me,
        ):
            assert (await me.json())["bot"] is True


async def test_in_a_home_folder_it_leaves_address_and_token_for_its_user(tmp_path: Path) -> None:
    token_file = tmp_path / "run" / "fake_discord.token"
    async with running("--home", str(tmp_path), environ={"HEADWAY_FAKE_DISCORD_TOKEN": "fake.one"}):
        await eventually((tmp_path / "run" / "fake_discord.json").is_file, timeout_seconds=30)
        assert token_file.read_text(encoding="ascii").strip() == "fake.one"
        assert token_file.stat().st_mode & 0o077 == 0
    assert not token_file.exists()
    assert (tmp_path / "fake_discord.json").is_file()


@pytest.mark.parametrize("arguments", [["--port", "many"], ["--unknown"]])
def test_a_command_line_that_makes_no_sense_ends_with_two(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        read_options(arguments)
