"""`headway dm` with a fake Discord and a bot on the real discord.py."""

import asyncio
import json
import os
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from headway.cli import dm
from headway.cli.exit_codes import ExitCode
from headway.cli.owner_dm import control
from headway.cli.owner_dm.control import BotAway, BotSilent, LineRefused, NoFakeDiscord
from headway.cli.owner_dm.watching import watch_owner
from headway.cli.view.output import Output
from headway.runtime.clock import SystemClock
from headway.runtime.keys import write_key_file
from headway.runtime.run_file import announced
from headway.testing.discord import faults
from headway.testing.discord.server import FakeDiscord, fake_discord
from headway.testing.eventually import eventually
from tests.contract.discord_client import logged_in


@asynccontextmanager
async def at_home(home: Path) -> AsyncGenerator[FakeDiscord]:
    """A fake Discord that a home folder knows of."""
    async with fake_discord() as fake, announced(home, "fake_discord", fake.address):
        write_key_file(home / "run" / "fake_discord.token", fake.token)
        yield fake


@pytest.fixture
async def fake(tmp_path: Path) -> AsyncIterator[FakeDiscord]:
    async with at_home(tmp_path) as running:
        yield running


@pytest.fixture
async def bot(fake: FakeDiscord) -> AsyncIterator[None]:
    async with logged_in(fake):
        yield


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Standard input as a pipe; what is written into it is typed."""
    reader, writer = os.pipe()
    with os.fdopen(reader) as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        yield writer


async def test_one_line_is_answered_and_printed(
    fake: FakeDiscord, bot: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await dm._once(tmp_path, "/trainer status iris-1", Output.TABLE) == ExitCode.OK
    assert "run iris-1" in capsys.readouterr().out
    assert await dm._once(tmp_path, "/trainer ping", Output.JSON) == ExitCode.OK
    answer = json.loads(capsys.readouterr().out)
    assert (answer["content"], answer["components"][0]["components"][0]["label"]) == ("pong", "Cancel")
    assert await dm._once(tmp_path, "press 2", Output.JSONL) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["content"] == "looked"


@pytest.mark.parametrize("line", ["/trainer", "/other", "press 9", "press it", "hello"])
async def test_a_line_that_leads_nowhere_is_refused(fake: FakeDiscord, bot: None, tmp_path: Path, line: str) -> None:
    await dm._once(tmp_path, "/trainer ping", Output.NAME)
    with pytest.raises(LineRefused):
        await dm._once(tmp_path, line, Output.TABLE)


async def test_a_bot_that_does_not_answer_is_an_error(
    fake: FakeDiscord, bot: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "ANSWER_SECONDS", 0.3)
    fake.faults.add("POST", "/interactions/*", faults.error(404, 10062), times=None)
    with pytest.raises(BotSilent, match="did not respond"):
        await dm._once(tmp_path, "/trainer ping", Output.TABLE)


async def test_without_a_fake_discord_the_fix_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoFakeDiscord, match="headway up --fake-discord"):
        await dm._once(tmp_path, "/trainer runs", Output.TABLE)


async def test_a_bot_that_is_away_is_named(fake: FakeDiscord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headway.testing.discord.control.PATIENCE_SECONDS", 0.05)
    with pytest.raises(BotAway, match=r"notifier\.log"):
        await dm._once(tmp_path, "/trainer runs", Output.TABLE)


async def test_a_conversation_shows_the_past_and_takes_lines_until_the_input_ends(
    fake: FakeDiscord, bot: None, tmp_path: Path, typed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    await dm._once(tmp_path, "/trainer status wine-1", Output.NAME)
    capsys.readouterr()
    os.write(typed, b"/trainer ping\npress 1\n/trainer status\n/trainer status wi ?\n")
    os.write(typed, b"hello\nhelp\n/trainer status iris-2")
    os.close(typed)
    assert await dm._talk(tmp_path, Output.TABLE) == ExitCode.OK
    printed = capsys.readouterr()
    words = ["run wine-1", "you /trainer ping", "pong", "1  Cancel", "you [Cancel]", "sure?", "run iris-2"]
    places = [printed.out.index(word) for word in words]
    assert places == sorted(places)
    assert "status needs run" in printed.err
    assert "  wine-1\n" in printed.err
    assert "commands only" in printed.err
    assert "/trainer status run:" in printed.err


async def test_a_conversation_can_be_left_by_a_word_and_read_by_a_program(
    fake: FakeDiscord, bot: None, tmp_path: Path, typed: int, capsys: pytest.CaptureFixture[str]
) -> None:
    os.write(typed, b"/trainer ping\nquit\n/trainer status never\n")
    assert await dm._talk(tmp_path, Output.JSONL) == ExitCode.OK
    os.close(typed)
    changes = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [change["kind"] for change in changes] == ["connected", "said", "created"]
    assert changes[2]["message"]["content"] == "pong"


async def test_a_fake_discord_that_goes_ends_the_conversation_with_the_fix(tmp_path: Path, typed: int) -> None:
    async with at_home(tmp_path) as fake:
        talking = asyncio.create_task(dm._talk(tmp_path, Output.TABLE))
        await eventually(lambda: fake.listeners.num_listening, timeout_seconds=20)
    with pytest.raises(NoFakeDiscord):
        await talking
    os.close(typed)


async def test_a_watcher_finds_a_fake_discord_that_is_started_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    watching = asyncio.create_task(watch_owner(tmp_path, SystemClock(), since=SystemClock().now()))
    shown = ""

    def has_shown(word: str) -> bool:
        nonlocal shown
        shown += capsys.readouterr().out
        return word in shown

    for word in ("iris-1", "wine-1"):
        async with at_home(tmp_path) as fake, logged_in(fake):
            # The watcher may come later than the first message; a later one it hears.
            async def say(discord: FakeDiscord = fake, run: str = word) -> bool:
                await (await discord.invoke(f"/trainer status {run}")).answer(20)
                return has_shown(f"run {run}")

            await eventually(say, timeout_seconds=30, interval_seconds=0.2)
    watching.cancel()
