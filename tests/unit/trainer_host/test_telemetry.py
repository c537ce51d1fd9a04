import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import grpc.aio
import pytest

from headway.contract.errors import StaleAttempt, StoreUnavailable
from headway.runtime.clock import SystemClock
from headway.testing.eventually import eventually
from headway.v1.jobs_pb2 import Progress
from headway.v1.results_service_pb2_grpc import ResultServiceStub
from tests.contract.fake_gateway import FakeGateway
from tests.unit.trainer_host.doubles import a_key
from trainer_host.attempt_key import AttemptKey
from trainer_host.telemetry import AttemptTelemetry

NOW = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
def key() -> AttemptKey:
    return a_key()


@pytest.fixture
async def telemetry(channel: grpc.aio.Channel, key: AttemptKey) -> AsyncIterator[AttemptTelemetry]:
    made = AttemptTelemetry(key, "hosts/h", ResultServiceStub(channel), SystemClock())
    async with asyncio.TaskGroup() as group:
        running = group.create_task(made.run())
        yield made
        made.close()
        await asyncio.wait([running], timeout=3)
        running.cancel()


def say(telemetry: AttemptTelemetry, num_lines: int, first: int = 1) -> None:
    for number in range(first, first + num_lines):
        telemetry.log("info", f"line {number}", {}, NOW)


async def test_the_first_word_is_sent_at_once(
    telemetry: AttemptTelemetry, gateway: FakeGateway, key: AttemptKey
) -> None:
    say(telemetry, 1)
    await eventually(lambda: gateway.lines.get(key), timeout_seconds=0.5)


async def test_every_line_arrives_once_and_in_order(
    telemetry: AttemptTelemetry, gateway: FakeGateway, key: AttemptKey
) -> None:
    say(telemetry, 2500)
    assert await telemetry.flush(5)
    assert [line.message for line in gateway.lines[key].values()] == [f"line {n}" for n in range(1, 2501)]


async def test_only_the_newest_progress_counts(telemetry: AttemptTelemetry, gateway: FakeGateway) -> None:
    telemetry.progress(Progress(step=0))
    await eventually(lambda: gateway.progress)
    for step in range(1, 1000):
        telemetry.progress(Progress(step=step))
    await eventually(lambda: gateway.progress[-1].step == 999)
    assert len(gateway.progress) <= 3


async def test_about_ten_messages_a_second_at_most(telemetry: AttemptTelemetry, gateway: FakeGateway) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + 0.5
    step = 0
    while loop.time() < end:
        telemetry.progress(Progress(step=step))
        step += 1
        await asyncio.sleep(0.001)
    assert step > 50
    assert len(gateway.progress) <= 7


async def test_lines_of_a_broken_stream_come_again(
    telemetry: AttemptTelemetry, gateway: FakeGateway, key: AttemptKey
) -> None:
    gateway.faults.errors["ReportTelemetry"] = [StoreUnavailable("away")]
    say(telemetry, 3)
    assert await telemetry.flush(5)
    assert list(gateway.lines[key]) == [1, 2, 3]


async def test_a_gateway_that_is_away_blocks_nobody(telemetry: AttemptTelemetry, gateway: FakeGateway) -> None:
    gateway.faults.errors["ReportTelemetry"] = [StoreUnavailable("away") for _ in range(1000)]
    loop = asyncio.get_running_loop()
    begin = loop.time()
    say(telemetry, 1000)
    assert not await telemetry.flush(0.2)
    assert loop.time() - begin < 1


async def test_the_stream_of_a_stale_attempt_is_given_up(
    telemetry: AttemptTelemetry, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainer_host.retries.Pace.wait_seconds", lambda *_: 0.01)
    gateway.faults.errors["ReportTelemetry"] = [StaleAttempt("stale") for _ in range(1000)]
    say(telemetry, 1)
    assert await telemetry.flush(5)
    num_calls = len(gateway.calls)
    say(telemetry, 1)
    await asyncio.sleep(0.2)
    assert len(gateway.calls) == num_calls


async def test_a_gateway_that_hears_of_the_claim_later_than_the_host_gets_every_line(
    telemetry: AttemptTelemetry, gateway: FakeGateway, key: AttemptKey
) -> None:
    gateway.faults.errors["ReportTelemetry"] = [StaleAttempt("not yet"), StaleAttempt("not yet")]
    say(telemetry, 2)
    assert await telemetry.flush(5)
    assert list(gateway.lines[key]) == [1, 2]


async def test_nothing_to_say_is_flushed_at_once(telemetry: AttemptTelemetry, gateway: FakeGateway) -> None:
    assert await telemetry.flush(0.1)
    assert gateway.calls == []


async def test_it_goes_on_after_a_flush(telemetry: AttemptTelemetry, gateway: FakeGateway, key: AttemptKey) -> None:
    say(telemetry, 1)
    assert await telemetry.flush(2)
    say(telemetry, 1, first=2)
    assert await telemetry.flush(2)
    assert list(gateway.lines[key]) == [1, 2]
