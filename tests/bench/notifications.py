"""From an event on NATS to the direct message of the real bot on a fake Discord, beside a plain NATS subscriber."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import nats

from headway.contract.events import job_event
from headway.contract.subjects import BUCKETS, STREAMS
from headway.runtime.clock import SystemClock
from headway.runtime.nats_bus import NatsBus, connect
from headway.runtime.nats_server import NatsServer
from headway.runtime.nats_settling import settle
from headway.testing.builders import a_record
from headway.testing.discord.server import FakeDiscord, fake_discord
from headway.testing.eventually import eventually
from headway.testing.nats import running_nats
from headway.testing.ports import free_port
from tests.bench.load import median
from tests.bench.processes import python_process
from tests.bench.report import Row

_NUM_EVENTS = 12
_BAR_MS = 200.0
_LIMIT_SECONDS = 30.0
_REST_SECONDS = 2.5
"""Longer than the window within which events share a message: each event is a message of its own."""


async def measure() -> list[Row]:
    """Publish one event behind each silence and see it arrive in the owner's direct messages."""
    with TemporaryDirectory() as folder:
        async with _everything(Path(folder)) as (bus, server, discord):
            bare = [await _heard_seconds(bus, server) for _ in range(_NUM_EVENTS)]
            told = [await _told_seconds(bus, discord) for _ in range(_NUM_EVENTS)]
    to_message, to_subscriber = median(told) * 1000, median(bare) * 1000
    return [
        Row(
            "Event published to direct message sent (fake Discord), p50",
            f"{to_message:.0f} ms",
            f"a plain NATS subscriber hears it: {to_subscriber:.1f} ms",
            "",
            f"under {_BAR_MS:g} ms",
            to_message < _BAR_MS,
        )
    ]


@asynccontextmanager
async def _everything(folder: Path) -> AsyncGenerator[tuple[NatsBus, NatsServer, FakeDiscord], None]:
    """A nats-server, a notifier as `headway up` runs it, and a Discord that it talks to."""
    async with (
        running_nats(folder / "nats") as server,
        connect(server.url, "gateway", clock=SystemClock()) as bus,
        fake_discord() as discord,
    ):
        await bus.provision(BUCKETS, STREAMS)
        async with python_process("-m", "notifier", environ=_environ(folder / "home", server, discord)):
            await discord.gateway.wait_connected(_LIMIT_SECONDS)
            await _told_seconds(bus, discord)  # The first one opens the direct messages.
            yield bus, server, discord


def _environ(home: Path, server: NatsServer, discord: FakeDiscord) -> dict[str, str]:
    return {
        "HEADWAY_HOME": str(home),
        "HEADWAY_NATS_URL": server.url,
        "HEADWAY_NATS_MONITOR_URL": server.monitor_url,
        "HEADWAY_LOG_LEVEL": "error",
        "HEADWAY_API_KEY": "hw_nobody",
        "HEADWAY_NOTIFIER__LISTEN": f"127.0.0.1:{free_port()}",
        "HEADWAY_NOTIFIER__DISCORD__TOKEN": discord.token,
        "HEADWAY_NOTIFIER__DISCORD__OWNER_ID": str(discord.owner_id),
        "HEADWAY_NOTIFIER__DISCORD__API_BASE": discord.api_base,
        "HEADWAY_NOTIFIER__DISCORD__GATEWAY_URL": discord.gateway_url,
    }


async def _publish(bus: NatsBus) -> str:
    record = a_record(now=datetime.now(UTC))
    event = job_event(record.job, record.job.transitions[-1])
    if event is None:
        raise RuntimeError("a submitted job has an event")
    await bus.publish(event.subject, event.body, message_id=event.message_id)
    return record.job.name.rpartition("/")[2]


async def _told_seconds(bus: NatsBus, discord: FakeDiscord) -> float:
    await SystemClock().sleep(_REST_SECONDS)
    begin = time.perf_counter()
    job_id = await _publish(bus)

    def is_told() -> bool:
        return any(job_id in message.text and "Training queued" in message.text for message in discord.pushed)

    await eventually(is_told, timeout_seconds=_LIMIT_SECONDS, interval_seconds=0.001)
    return time.perf_counter() - begin


async def _heard_seconds(bus: NatsBus, server: NatsServer) -> float:
    connection = await nats.connect(server.url)
    heard = asyncio.Event()

    async def hear(_: object) -> None:
        heard.set()

    await connection.subscribe("trainer.train.>", cb=hear)
    await settle(connection)
    begin = time.perf_counter()
    await _publish(bus)
    await heard.wait()
    seconds = time.perf_counter() - begin
    await connection.close()
    return seconds
