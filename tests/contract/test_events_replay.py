"""`headway replay` as a process, on a real nats-server; with and without a gateway to ask."""

import json
import time
from pathlib import Path

import pytest

from headway.contract.subjects import EVENTS
from headway.runtime.nats_bus import NatsBus
from headway.runtime.nats_server import NatsServer
from headway.testing.life_events import a_completed_record, a_failed_record, events_of
from tests.contract.listeners import job_id, publish, running


async def test_a_replay_prints_the_events_as_they_were_on_the_wire_and_leaves(
    nats_server: NatsServer, nats_bus: NatsBus, tmp_path: Path
) -> None:
    record = a_completed_record()
    ids = await publish(nats_bus, record, a_failed_record())
    for event in events_of(record):
        await nats_bus.publish(event.subject, event.body)  # Repeats, as behind the window of the stream.
    arguments = ("--speed", "max", "-o", "json", "--nats-url", nats_server.url)
    with running(tmp_path, "replay", job_id(record), *arguments) as replay:
        assert await replay.ended() == 0
        assert replay.ids == ids[:4]
        bodies = [json.loads(event.body) for event in events_of(record)]
        assert [json.loads(line) for line in replay.out.splitlines()] == bodies
        assert "4 events; it took 2.0s" in replay.err


async def test_a_replay_keeps_the_pace(nats_server: NatsServer, nats_bus: NatsBus, tmp_path: Path) -> None:
    """Two seconds at double speed cannot take less than one; with gaps of at most 0.1 s they do not take the two."""
    record = a_completed_record()
    await publish(nats_bus, record)
    url = ("--nats-url", nats_server.url, "-o", "name")
    begin = time.monotonic()
    with running(tmp_path / "1", "replay", job_id(record), *url, "--speed", "2x") as replay:
        assert await replay.ended() == 0
        assert time.monotonic() - begin >= 1.0
    with running(tmp_path / "2", "replay", record.job.name, *url, "--speed", "0.001x", "--max-gap", "0.1s") as replay:
        assert await replay.ended() == 0
        assert [line.split(".")[2] for line in replay.out.splitlines()] == [
            *("queued", "started", "evaluated", "completed")
        ]


async def test_a_job_whose_first_events_are_gone_begins_with_what_is_left(
    nats_server: NatsServer, nats_bus: NatsBus, tmp_path: Path
) -> None:
    record = a_completed_record()
    for event in events_of(record)[2:]:
        await nats_bus.publish(event.subject, event.body, message_id=event.message_id)
    with running(tmp_path, "replay", job_id(record), "--speed", "max", "--nats-url", nats_server.url) as replay:
        assert await replay.ended() == 0
        assert "begins with number 3" in replay.err


async def test_events_that_nobody_can_vouch_for_are_said_to_be_missing(
    nats_server: NatsServer, nats_bus: NatsBus, tmp_path: Path
) -> None:
    assert (await nats_bus.stream_state(EVENTS)).num_messages == 0
    arguments = ("--nats-url", nats_server.url, "--address", "127.0.0.1:1")
    with running(tmp_path, "replay", "j" + "a" * 25, *arguments) as replay:
        assert await replay.ended() == 3
        assert "the gateway, which knows" in replay.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--speed", "fast"), "write 1x, 50x, 0.5x or max"),
        (("--speed", "0"), "is no speed"),
        (("--max-gap", "-1s"), "is no span of time"),
    ],
)
async def test_wrong_usage_is_said(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    with running(tmp_path, "replay", "j" + "a" * 25, *arguments, COLUMNS="200") as replay:
        assert await replay.ended() == 2
        assert words in replay.err
