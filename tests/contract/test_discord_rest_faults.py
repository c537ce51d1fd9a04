"""F50, F51, P26: what Discord's REST side can do, and what the owner gets all the same."""

from collections import Counter
from datetime import UTC, datetime
from functools import partial

import pytest

from headway.contract.subjects import BUCKETS, STREAMS
from headway.testing.clock import ManualClock
from headway.testing.discord.faults import Drop, Effect, Hang, banned, empty, error, html, rate_limited, server_error
from headway.testing.discord.payloads import Message
from headway.testing.discord.server import FakeDiscord, fake_discord
from headway.testing.eventually import eventually
from headway.testing.memory_bus import MemoryBus
from headway.v1.records_pb2 import JobRecord
from notifier.discord.faults import NO_LOGIN, NO_WAY_TO_OWNER
from tests.contract.discord_life import BotLife, advance_until
from tests.unit.notifier.doubles import a_finished_job, a_running_job

MESSAGES = "/channels/*/messages"
ENDS = "Training completed"


def now() -> datetime:
    return datetime.now(UTC)


def job_of(description: str) -> str:
    """The id in its first line."""
    return description.partition("\n")[0].split("`")[1]


def told(discord: FakeDiscord) -> list[tuple[str, str]]:
    """Title and job of each embed about an event, in the order in which they were told."""
    return [
        (embed.title or "", job_of(embed.description or ""))
        for message in discord.pushed
        if message.content
        for embed in message.embeds
    ]


def ids(jobs: list[JobRecord]) -> set[str]:
    return {job.job.name.rpartition("/")[2] for job in jobs}


def ends(discord: FakeDiscord) -> list[str]:
    return [job for title, job in told(discord) if title == ENDS]


def is_past(clock: ManualClock, seconds: float) -> bool:
    return clock.monotonic() > seconds


async def virtual_bus(clock: ManualClock) -> MemoryBus:
    bus = MemoryBus(clock)
    await bus.provision(BUCKETS, STREAMS)
    return bus


@pytest.mark.parametrize("is_global", [False, True])
async def test_a_rate_limit_is_waited_for_as_long_as_it_says(memory_bus: MemoryBus, *, is_global: bool) -> None:
    """F50: 429 with Retry-After, of the route and global."""
    async with fake_discord() as discord, BotLife.of(discord, memory_bus) as life:
        await discord.gateway.wait_connected()
        discord.faults.add("POST", MESSAGES, rate_limited(1.5, is_global=is_global))
        await life.publish(a_finished_job(now()))
        await eventually(lambda: ends(discord), timeout_seconds=20.0)
        tries = [record for record in discord.traffic.records if record.path.endswith("/messages")]
        assert [record.status for record in tries][:2] == [429, 200]
        assert tries[1].time - tries[0].time >= 1.5
        assert len(ends(discord)) == 1


async def test_a_long_rate_limit_holds_for_everything_that_is_sent(clock: ManualClock) -> None:
    """F50: nothing is asked of Discord before the time has come, by messages or by live embeds."""
    bus = await virtual_bus(clock)
    async with fake_discord() as discord, BotLife.of(discord, bus, clock=clock) as life:
        await discord.gateway.wait_connected()
        job = a_running_job(clock.now())
        discord.faults.add("POST", MESSAGES, rate_limited(120.0, is_global=True))
        await life.publish(job, a_finished_job(clock.now()))
        await advance_until(clock, lambda: discord.traffic.count("POST", MESSAGES) >= 1)
        begin, asked = clock.monotonic(), discord.traffic.count("POST", MESSAGES)
        for step in range(20):
            await life.report(job, step)
            await advance_until(clock, partial(is_past, clock, begin + 5.0 * step))
        assert discord.traffic.count("POST", MESSAGES) + discord.traffic.count("PATCH") == asked
        await advance_until(clock, lambda: ends(discord))
        assert clock.monotonic() - begin >= 119.0


@pytest.mark.parametrize(
    "effect",
    [
        server_error(500),
        server_error(502),
        server_error(503),
        html(502),
        html(200),
        empty(500),
        empty(200),
        Hang(),
        Drop(),
        Drop(is_carried_out=True),
    ],
    ids=["500", "502", "503", "html", "html_as_success", "empty", "empty_as_success", "hang", "drop", "answer_lost"],
)
async def test_a_fault_delays_and_neither_drops_nor_doubles(
    memory_bus: MemoryBus, monkeypatch: pytest.MonkeyPatch, effect: Effect
) -> None:
    """F50: each job's events arrive once and in order behind the fault."""
    monkeypatch.setattr("notifier.discord.dm.REQUEST_SECONDS", 1.0)
    async with fake_discord() as discord, BotLife.of(discord, memory_bus) as life:
        await discord.gateway.wait_connected()
        discord.faults.add("POST", MESSAGES, effect, times=2)
        jobs = [a_finished_job(now()) for _ in range(2)]
        await life.publish(*jobs)
        await eventually(lambda: set(ends(discord)) == ids(jobs), timeout_seconds=40.0)
        assert max(Counter(told(discord)).values()) == 1
        for job in ids(jobs):
            assert [title for title, about in told(discord) if about == job] == [
                "Training queued",
                "Training started",
                "Model evaluated",
                "Training completed",
            ]


async def test_a_ban_by_the_proxy_is_waited_for(clock: ManualClock) -> None:
    """F50: 429 in HTML, without a body that says how long; only the header does."""
    bus = await virtual_bus(clock)
    async with fake_discord() as discord, BotLife.of(discord, bus, clock=clock) as life:
        await discord.gateway.wait_connected()
        discord.faults.add("POST", MESSAGES, banned(600))
        await life.publish(a_finished_job(clock.now()))
        await advance_until(clock, lambda: discord.traffic.count("POST", MESSAGES) == 1)
        begin = clock.monotonic()
        await advance_until(clock, lambda: ends(discord), step_seconds=5.0)
        assert clock.monotonic() - begin >= 595.0
        assert discord.traffic.num_invalid == 1


async def test_an_hour_without_discord_delays_every_end_and_drops_none(clock: ManualClock) -> None:
    """P26: behind the outage the ends come first, in batches of at most ten, each once."""
    bus = await virtual_bus(clock)
    async with fake_discord() as discord, BotLife.of(discord, bus, clock=clock) as life:
        await discord.gateway.wait_connected()
        fault = discord.faults.add("*", "/channels/*", server_error(503), times=None)
        jobs = [a_finished_job(clock.now()) for _ in range(60)]
        running = [a_running_job(clock.now()) for _ in range(5)]
        await life.publish(*jobs, *running)
        await advance_until(clock, lambda: clock.monotonic() >= 3600.0, step_seconds=60.0)
        assert told(discord) == []
        discord.faults.remove(fault)
        await advance_until(clock, lambda: len(ends(discord)) >= 60)
        assert set(ends(discord)) == ids(jobs)
        assert len(ends(discord)) == 60
        messages: list[Message] = [message for message in discord.pushed if message.content]
        assert len(messages) <= 10
        assert all(len(message.embeds) <= 10 for message in messages)
        await advance_until(clock, lambda: {job for title, job in told(discord) if title != ENDS} >= ids(running))
        # Behind the message that may have arrived before the outage, which is told as it was.
        others = [at for at, (title, _) in enumerate(told(discord)) if title != ENDS and at >= 10]
        assert min(others) >= 60


@pytest.mark.parametrize(
    ("effect", "remedy"),
    [
        (error(401, 0, "401: Unauthorized"), NO_LOGIN),
        (error(403, 50007), NO_WAY_TO_OWNER),
        (error(403, 50278), NO_WAY_TO_OWNER),
    ],
    ids=["401", "50007", "50278"],
)
async def test_a_refusal_stops_everything_that_is_sent(clock: ManualClock, effect: Effect, remedy: str) -> None:
    """F51: health is red, the remedy is known, and Discord is not hammered: far below ten invalid requests."""
    bus = await virtual_bus(clock)
    async with fake_discord() as discord, BotLife.of(discord, bus, clock=clock) as life:
        await discord.gateway.wait_connected()
        fault = discord.faults.add("*", "/channels/*", effect, times=None)
        job = a_running_job(clock.now())
        await life.publish(job, *[a_finished_job(clock.now()) for _ in range(30)])
        await advance_until(clock, lambda: not life.post.health[-1])
        for step in range(30):
            await life.report(job, step)
            await clock.advance(20.0)
        assert discord.traffic.num_invalid <= 2
        shut = life.assembly.ears.dm.shut
        assert shut is not None
        assert shut.remedy == remedy
        assert not life.health[-1]
        discord.faults.remove(fault)
        if remedy == NO_LOGIN:
            await clock.advance(7200.0)
            assert discord.traffic.num_invalid <= 2
            return
        # The owner has made the server: within a quarter of an hour everything is told, by itself.
        await advance_until(clock, lambda: len(ends(discord)) == 30, step_seconds=20.0)
        assert life.post.health[-1]
        assert life.health[-1]


async def test_a_wrong_token_is_tried_once(clock: ManualClock) -> None:
    """F51: at the login."""
    bus = await virtual_bus(clock)
    async with fake_discord() as discord, BotLife.of(discord, bus, clock=clock, token="wrong.token") as life:
        await life.publish(a_finished_job(clock.now()))
        await advance_until(clock, lambda: not all(life.post.health) and not all(life.health))
        await clock.advance(7200.0)
        assert discord.traffic.num_invalid == 1
        assert life.assembly.ears.dm.shut is not None
        assert life.assembly.ears.dm.shut.remedy == NO_LOGIN


async def test_discord_may_be_away_when_the_notifier_starts(memory_bus: MemoryBus) -> None:
    """P26: no connection at all, which the health check says, then one."""
    async with fake_discord() as discord:
        async with discord.outage():
            life = BotLife.of(discord, memory_bus)
            running = await life.__aenter__()
            await running.publish(a_finished_job(now()))
            await eventually(lambda: running.health[-1:] == [False], timeout_seconds=40.0)
        try:
            await eventually(lambda: len(ends(discord)) == 1, timeout_seconds=40.0)
            assert running.health[-1]
        finally:
            await life.__aexit__(None, None, None)
