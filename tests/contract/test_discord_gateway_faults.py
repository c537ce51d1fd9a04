"""F52: what the websocket can do, and that the bot is there again, or stays away when it must."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest

from headway.testing.discord.gateway import CloseCode
from headway.testing.discord.server import FakeDiscord, fake_discord
from headway.testing.eventually import eventually
from headway.testing.memory_bus import MemoryBus
from notifier.discord.door import Refusal
from notifier.discord.faults import BAD_INTENTS, NO_LOGIN
from tests.contract.discord_life import BotLife
from tests.unit.notifier.doubles import a_running_job

LIMIT_SECONDS = 40.0
Break = Callable[[FakeDiscord], Awaitable[None]]


async def drop(discord: FakeDiscord) -> None:
    discord.gateway.drop()


async def op_7(discord: FakeDiscord) -> None:
    await discord.gateway.reconnect()


async def op_9_resumable(discord: FakeDiscord) -> None:
    await discord.gateway.invalidate(is_resumable=True)


async def op_9(discord: FakeDiscord) -> None:
    await discord.gateway.invalidate(is_resumable=False)


async def close_4009(discord: FakeDiscord) -> None:
    await discord.gateway.close(4009)


async def close_4000(discord: FakeDiscord) -> None:
    await discord.gateway.close(4000)


async def forget(discord: FakeDiscord) -> None:
    discord.gateway.is_forgetful = True
    discord.gateway.drop()


async def no_ack(discord: FakeDiscord) -> None:
    discord.gateway.is_acking = False
    await eventually(lambda: discord.gateway.counters.connections > 1, timeout_seconds=LIMIT_SECONDS)
    discord.gateway.is_acking = True


async def is_answering(discord: FakeDiscord) -> bool:
    answer = await (await discord.invoke("/trainer runs")).answer(LIMIT_SECONDS)
    return bool(answer.text)


@pytest.mark.parametrize(
    ("break_it", "is_resumed"),
    [
        (drop, True),
        (op_7, True),
        (op_9_resumable, True),
        (close_4000, True),
        (close_4009, True),
        (no_ack, True),
        (op_9, False),
        (forget, False),
    ],
)
async def test_the_bot_comes_back(
    memory_bus: MemoryBus, monkeypatch: pytest.MonkeyPatch, break_it: Break, *, is_resumed: bool
) -> None:
    """It resumes where it may, identifies anew where it must, and answers again."""
    if break_it is no_ack:
        monkeypatch.setattr("notifier.discord.bot.HEARTBEAT_SECONDS", 1.0)
    async with fake_discord() as discord, BotLife.of(discord, memory_bus) as life:
        discord.gateway.heartbeat_seconds = 0.3
        await discord.gateway.wait_connected()
        assert await is_answering(discord)
        connections = discord.gateway.counters.connections
        await break_it(discord)
        counters = discord.gateway.counters
        await eventually(
            lambda: counters.connections > connections and discord.gateway.is_connected, timeout_seconds=LIMIT_SECONDS
        )
        assert await is_answering(discord)
        if is_resumed:
            assert (counters.resumes > 0, counters.identifies) == (True, 1)
        else:
            assert counters.identifies == 2
        assert all(life.health)
        assert discord.traffic.count("PUT") == 1  # The commands are not registered again.


@pytest.mark.parametrize(
    ("code", "remedy"),
    [(CloseCode.AUTHENTICATION_FAILED, NO_LOGIN), (CloseCode.DISALLOWED_INTENTS, BAD_INTENTS)],
    ids=["4004", "4014"],
)
async def test_the_bot_stays_away_when_only_a_person_can_help(
    memory_bus: MemoryBus, code: CloseCode, remedy: str
) -> None:
    """4004 and 4014: no further try, health is red, and nothing is sent."""
    async with fake_discord() as discord, BotLife.of(discord, memory_bus) as life:
        await discord.gateway.wait_connected()
        discord.gateway.refuse_with = code
        await discord.gateway.close(code)
        await eventually(lambda: life.health[-1:] == [False], timeout_seconds=LIMIT_SECONDS)
        shut = life.assembly.ears.dm.shut
        assert shut is not None
        assert shut.remedy == remedy
        connections, requests = discord.gateway.counters.connections, len(discord.traffic.records)
        await life.publish(a_running_job(datetime.now(UTC)))
        await eventually(lambda: life.post.delivery.is_shut, timeout_seconds=LIMIT_SECONDS)
        assert (discord.gateway.counters.connections, len(discord.traffic.records)) == (connections, requests)
        assert not life.post.health[-1]
        assert discord.pushed == ()


async def test_a_replayed_command_acts_once(memory_bus: MemoryBus) -> None:
    """The same sequence twice, and the same interaction once more."""
    async with fake_discord() as discord, BotLife.of(discord, memory_bus, is_control_enabled=True) as life:
        await discord.gateway.wait_connected()
        job = a_running_job(datetime.now(UTC))
        life.gateway.put(job)
        interaction = await discord.invoke(f"/trainer pause run:demo/{job.job.name.rpartition('/')[2]}")
        assert "being paused" in (await interaction.answer()).text
        await discord.gateway.replay()
        await discord.replay(interaction)
        ignored = life.assembly.ears.door.ignored
        await eventually(lambda: ignored[Refusal.REPLAYED] == 2, timeout_seconds=LIMIT_SECONDS)
        assert life.gateway.count("pause") == 1
        assert interaction.num_responses == 1
