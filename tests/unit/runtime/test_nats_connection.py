"""The connection against a real nats-server: restarts, sizes, the end."""

import asyncio
import os
import signal
import time
from contextlib import suppress

import pytest
from google.protobuf.wrappers_pb2 import StringValue

from headway.contract.errors import StoreUnavailable
from headway.contract.subjects import JOBS, job_event_subject
from headway.runtime.bus_errors import OutcomeUnknown, StreamMissing
from headway.runtime.nats_bus import BusOptions, NatsBus, connect
from headway.runtime.nats_connection import NatsConnection, open_connection
from headway.runtime.nats_server import NatsServer
from headway.runtime.records import RecordExists
from headway.testing.eventually import eventually
from headway.testing.ports import free_port

QUEUED = job_event_subject("queued", "p", "j1")
SLOW_TO_TIME_OUT = BusOptions(request_timeout_seconds=20.0)


async def test_a_server_that_is_not_there_is_told_with_a_remedy() -> None:
    with pytest.raises(StoreUnavailable, match="is it running"):
        async with connect(f"nats://127.0.0.1:{free_port()}", "test", options=BusOptions(connect_timeout_seconds=0.3)):
            pass


async def test_a_request_that_nobody_answers_is_refused_at_once(nats_server: NatsServer) -> None:
    async with open_connection(nats_server.url, "test", SLOW_TO_TIME_OUT) as connection:
        before = time.perf_counter()
        with pytest.raises(StreamMissing):
            await connection.request("nobody.home", b"")
        assert time.perf_counter() - before < 2.0


async def test_a_request_under_way_is_given_up_when_the_connection_is_lost(nats_server: NatsServer) -> None:
    # Its answer will never come; nats-py would wait out the time limit.
    async with open_connection(nats_server.url, "test", SLOW_TO_TIME_OUT) as connection:
        await connection.client.subscribe("silent")
        request = asyncio.create_task(connection.request("silent", b""))
        await connection.client.flush()

        await nats_server.kill()

        async with asyncio.timeout(2):
            with pytest.raises(OutcomeUnknown):
                await request


async def test_a_request_in_a_lost_connection_waits_for_it(nats_server: NatsServer) -> None:
    async with connect(nats_server.url, "test", options=SLOW_TO_TIME_OUT) as bus:
        await bus.provision([JOBS], [])
        jobs = bus.records(JOBS, StringValue)
        await jobs.create("j1", StringValue(value="one"))
        await nats_server.kill()
        await eventually(lambda: not bus.is_connected)

        reading = asyncio.create_task(jobs.get("j1"))
        await nats_server.start()

        async with asyncio.timeout(3):
            assert (await reading).value.value == "one"


async def test_a_server_that_stays_away_is_told_within_the_limit(nats_server: NatsServer) -> None:
    options = BusOptions(request_timeout_seconds=0.3)
    async with connect(nats_server.url, "test", options=options) as bus:
        await bus.provision([JOBS], [])
        jobs = bus.records(JOBS, StringValue)
        await nats_server.kill()
        await eventually(lambda: not bus.is_connected)
        before = time.perf_counter()

        with pytest.raises(StoreUnavailable):
            await jobs.create("j1", StringValue())
        assert time.perf_counter() - before < 2.0


async def test_each_request_to_a_frozen_server_ends_at_its_own_limit(nats_server: NatsServer) -> None:
    """F42: the connection is there, and nobody answers."""
    options = BusOptions(request_timeout_seconds=0.4)
    pid = nats_server.pid
    assert pid is not None
    async with open_connection(nats_server.url, "test", options) as connection:
        os.kill(pid, signal.SIGSTOP)
        try:
            waited = await asyncio.gather(*(_unanswered_seconds(connection, after=after) for after in (0.0, 0.2, 0.2)))
        finally:
            os.kill(pid, signal.SIGCONT)
        assert min(waited) >= 0.39
        assert max(waited) < 5.0
        assert (await connection.request("$JS.API.INFO", b"")).data


async def _unanswered_seconds(connection: NatsConnection, *, after: float) -> float:
    await asyncio.sleep(after)
    begin = time.perf_counter()
    with pytest.raises(OutcomeUnknown, match="in time"):
        await connection.request("$JS.API.INFO", b"")
    return time.perf_counter() - begin


async def test_nothing_sent_while_the_server_is_away_is_stored_later(nats_server: NatsServer) -> None:
    # nats-py keeps such messages in a buffer and sends them after the caller was told that they failed.
    options = BusOptions(request_timeout_seconds=0.2)
    async with connect(nats_server.url, "test", options=options) as bus:
        await bus.provision([JOBS], [])
        jobs = bus.records(JOBS, StringValue)
        await nats_server.kill()
        await eventually(lambda: not bus.is_connected)
        with pytest.raises(StoreUnavailable):
            await jobs.create("j1", StringValue())
        await nats_server.start()
        await eventually(lambda: bus.is_connected)

        assert await jobs.find("j1") is None


async def test_writes_under_restarts_are_told_truly(nats_server: NatsServer) -> None:
    """Every create that was acknowledged is there, and each is there once, however often the server is killed."""
    acknowledged: dict[str, int] = {}

    async def write(bus: NatsBus, writer: int) -> None:
        jobs = bus.records(JOBS, StringValue)
        for number in range(60):
            key = f"w{writer}-{number}"
            while key not in acknowledged:
                # An outcome that was told as unknown is settled by asking again; nobody else writes this key.
                with suppress(StoreUnavailable):
                    try:
                        acknowledged[key] = await jobs.create(key, StringValue(value=key))
                    except RecordExists:
                        acknowledged[key] = (await jobs.get(key)).revision

    async with connect(nats_server.url, "test", options=SLOW_TO_TIME_OUT) as bus:
        await bus.provision([JOBS], [])
        async with asyncio.TaskGroup() as group:
            for writer in range(8):
                group.create_task(write(bus, writer))
            for _ in range(4):
                await asyncio.sleep(0.05)
                await nats_server.kill()
                await nats_server.start()
        state = await bus.stream_state(JOBS)
        jobs = bus.records(JOBS, StringValue)
        stored = {key: (await jobs.get(key)).revision for key in acknowledged}

    assert stored == acknowledged
    assert state.last_sequence == len(acknowledged) == 480


async def test_an_error_that_ends_the_connection_for_good_is_told(nats_server: NatsServer) -> None:
    async with open_connection(nats_server.url, "test", BusOptions(request_timeout_seconds=1.0)) as connection:
        await connection.client.publish("x" * 5000, b"")  # A control line over 4 KiB, past our guard.

        async with asyncio.timeout(3):
            await connection.closed.wait()
        with pytest.raises(StoreUnavailable):
            await connection.request("$JS.API.INFO", b"")


async def test_a_message_that_would_end_the_connection_is_never_sent(nats_server: NatsServer) -> None:
    async with open_connection(nats_server.url, "test", BusOptions()) as connection:
        most = connection.client.max_payload
        for subject, size, header in (("x" * 5000, 1, ""), (QUEUED, most, ""), (QUEUED, most - 1000, "b" * 1000)):
            with pytest.raises(ValueError, match="is over the"):
                await connection.request(subject, b"x" * size, {"a": header})

        assert await _is_alive(connection)


async def _is_alive(connection: NatsConnection) -> bool:
    await connection.request("$JS.API.INFO", b"")
    return not connection.closed.is_set()


class Heard:
    """What a listener was told."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def lost(self) -> None:
        self.words.append("lost")

    def back(self) -> None:
        self.words.append("back")

    def closed(self) -> None:
        self.words.append("closed")

    def refused(self, error: Exception) -> None:
        self.words.append(str(error) or type(error).__name__)


async def test_a_listener_hears_of_a_loss_and_a_return_and_not_of_leaving(nats_server: NatsServer) -> None:
    heard = Heard()
    async with open_connection(nats_server.url, "test", BusOptions(listener=heard)):
        await nats_server.stop()
        await nats_server.start()
        await eventually(lambda: "back" in heard.words)
    assert [word for word in heard.words if word in {"lost", "back", "closed"}] == ["lost", "back"]


async def test_a_listener_hears_of_a_close_that_nobody_asked_for(nats_server: NatsServer) -> None:
    heard = Heard()
    async with open_connection(nats_server.url, "test", BusOptions(listener=heard)) as connection:
        await connection.client.close()
        await eventually(lambda: "closed" in heard.words)


async def test_requests_go_to_the_domain_and_answers_to_the_inbox_that_were_named(nats_server: NatsServer) -> None:
    options = BusOptions(domain="headway", inbox_prefix="_INBOX_other")
    async with open_connection(nats_server.url, "test", options) as connection:
        assert connection.api == "$JS.headway.API"
        assert connection.client.new_inbox().startswith("_INBOX_other.")
