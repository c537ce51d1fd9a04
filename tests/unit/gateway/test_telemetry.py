import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Sequence

import pytest

from gateway.log_outlet import LogOutlet
from gateway.progress_outlet import ProgressOutlet
from gateway.telemetry import Telemetry
from headway.contract.errors import NotFound, PermissionDenied, StaleAttempt, StreamProtocol
from headway.contract.host_facts import facts_of
from headway.contract.ids import JobName
from headway.contract.subjects import JOBS, LOGS, PROGRESS
from headway.contract.transitions import claim, lose_attempt, request_cancel
from headway.runtime.principal import Principal, acting_as
from headway.testing.builders import A_MOMENT, a_claimed_record, a_host, a_record, an_infer_spec
from headway.testing.clock import ManualClock
from headway.testing.memory_bus import MemoryBus
from headway.v1.job_specs_pb2 import EXECUTION_MODE_LOCAL
from headway.v1.jobs_pb2 import Progress
from headway.v1.jobs_service_pb2 import LogLine
from headway.v1.records_pb2 import JobRecord
from headway.v1.results_service_pb2 import ReportTelemetryRequest
from tests.bytes_gateway import ANYBODY, Tasks


class Logs:
    """Keeps everything."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.num_known = 0

    async def append(self, job_name: str, attempt: int, lines: Sequence[LogLine]) -> int:
        self.lines.extend(f"{attempt}:{line.message}" for line in lines)
        return len(lines) - self.num_known


class Bench:
    """Telemetry on a clock that stands still."""

    def __init__(self, bus: MemoryBus, clock: ManualClock, tasks: Tasks) -> None:
        self.bus, self.clock, self.logs = bus, clock, Logs()
        self.jobs = bus.records(JOBS, JobRecord)
        outlets = ProgressOutlet(bus, clock, tasks), LogOutlet(bus, tasks)
        self.telemetry = Telemetry(self.jobs, outlets[0], self.logs, clock, str.strip, log_outlet=outlets[1])

    async def keep(self, record: JobRecord) -> JobRecord:
        await self.jobs.put(JobName.parse(record.job.name).job_id, record)
        return record

    async def published(self) -> list[int]:
        """Steps that were published, oldest first; the stream keeps the newest of a job."""
        message = await self.bus.last_message(PROGRESS, PROGRESS.subjects[0])
        return [] if message is None else [int(json.loads(message.data)["data"]["step"])]


@pytest.fixture
async def bench(memory_bus: MemoryBus, clock: ManualClock) -> AsyncIterator[Bench]:
    async with asyncio.TaskGroup() as group:
        with acting_as(ANYBODY):
            yield Bench(memory_bus, clock, Tasks(group))
        # What still waits for its moment has it now.
        await clock.advance(1)


async def stream(messages: Iterable[ReportTelemetryRequest]) -> AsyncIterator[ReportTelemetryRequest]:
    for message in messages:
        # Whatever publishes gets its turn.
        await asyncio.sleep(0)
        yield message


def a_report(record: JobRecord, step: int = 0, text: str = "", *, attempt: int = 0) -> ReportTelemetryRequest:
    return ReportTelemetryRequest(
        job=record.job.name,
        attempt=attempt or record.job.attempt,
        host=record.job.attempts[-1].host,
        progress=Progress(step=step) if step else None,
        lines=[LogLine(number=1, message=text)] if text else [],
    )


async def test_lines_are_kept_and_progress_is_published(bench: Bench) -> None:
    record = await bench.keep(a_claimed_record())
    assert await bench.telemetry.receive(stream([a_report(record, 5, " hello "), a_report(record, 6, "again")])) == 2
    assert bench.logs.lines == ["1:hello", "1:again"]
    await bench.clock.advance(0.1)
    assert await bench.published() == [6]


async def test_lines_that_were_kept_are_told_and_repeated_ones_are_not(bench: Bench) -> None:
    record = await bench.keep(a_claimed_record())
    lines = [LogLine(number=number, message=f" line {number} ") for number in (1, 2, 3)]
    report = ReportTelemetryRequest(job=record.job.name, attempt=1, host=record.job.host, lines=lines)
    bench.logs.num_known = 1
    await bench.telemetry.receive(stream([report, a_report(record, 1)]))
    message = await bench.bus.last_message(LOGS, LOGS.subjects[0])
    assert message is not None
    event = json.loads(message.data)
    assert [line["message"] for line in event["data"]["lines"]] == ["line 2", "line 3"]
    assert event["type"] == "trainer.log.v1"


async def test_what_a_host_says_of_its_progress_is_cleaned(bench: Bench) -> None:
    """F-5: the host has cleaned it too, and is not relied upon."""
    record = await bench.keep(a_claimed_record())
    report = a_report(record, 5)
    report.progress.message = "  a secret  "
    await bench.telemetry.receive(stream([report]))
    await bench.clock.advance(0.1)
    message = await bench.bus.last_message(PROGRESS, PROGRESS.subjects[0])
    assert message is not None
    assert json.loads(message.data)["data"]["message"] == "a secret"


async def test_a_flood_is_published_ten_times_a_second_newest_first(bench: Bench) -> None:
    record = await bench.keep(a_claimed_record())
    for second in range(1, 4):
        await bench.telemetry.receive(stream(a_report(record, 1000 * second + at) for at in range(1, 1000)))
        await bench.clock.advance(0.1)
        assert await bench.published() == [1000 * second + 999]
    assert (await bench.bus.stream_state(PROGRESS)).last_sequence <= 5


async def test_progress_never_goes_back_from_one_stream_to_the_next(bench: Bench) -> None:
    record = await bench.keep(a_claimed_record())
    for step in (20, 10):
        await bench.telemetry.receive(stream([a_report(record, step)]))
        await bench.clock.advance(0.1)
    assert await bench.published() == [20]


async def test_the_next_attempt_begins_anew(bench: Bench) -> None:
    record = await bench.keep(a_claimed_record())
    await bench.telemetry.receive(stream([a_report(record, 20)]))
    lost = lose_attempt(record, attempt=1, now=A_MOMENT)
    moved = claim(lost, host=facts_of(a_host()), mode=EXECUTION_MODE_LOCAL, fallback_reason="", now=A_MOMENT)
    await bench.keep(moved)
    await bench.clock.advance(0.1)
    await bench.telemetry.receive(stream([a_report(moved, 3)]))
    await bench.clock.advance(0.1)
    assert await bench.published() == [3]


async def test_the_stream_of_a_stale_attempt_is_ended(bench: Bench) -> None:
    record = await bench.keep(a_claimed_record())
    moved = claim(
        lose_attempt(record, attempt=1, now=A_MOMENT),
        host=facts_of(a_host("berta")),
        mode=EXECUTION_MODE_LOCAL,
        fallback_reason="",
        now=A_MOMENT,
    )

    async def meanwhile() -> AsyncIterator[ReportTelemetryRequest]:
        yield a_report(record, text="before")
        await bench.keep(moved)
        await bench.clock.advance(1.0)
        yield a_report(record, text="after")

    with pytest.raises(StaleAttempt):
        await bench.telemetry.receive(meanwhile())
    assert bench.logs.lines == ["1:before"]


async def test_the_record_is_not_read_for_every_message(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    record = await bench.keep(a_claimed_record())
    num_reads = 0
    find = bench.jobs.find

    async def counted(key: str) -> object:
        nonlocal num_reads
        num_reads += 1
        return await find(key)

    monkeypatch.setattr(bench.jobs, "find", counted)
    await bench.telemetry.receive(stream(a_report(record, at) for at in range(1, 500)))
    assert num_reads == 1


async def test_the_last_lines_of_an_attempt_are_kept_when_the_job_is_over(bench: Bench) -> None:
    """They say why it failed."""
    record = a_claimed_record()
    cancelling = request_cancel(record, message="", now=A_MOMENT)
    assert cancelling is not None
    await bench.keep(lose_attempt(cancelling, attempt=1, now=A_MOMENT))
    await bench.telemetry.receive(stream([a_report(record, 7, "the end")]))
    await bench.clock.advance(0.2)
    assert bench.logs.lines == ["1:the end"]
    assert await bench.published() == []


async def test_one_stream_is_of_one_attempt(bench: Bench) -> None:
    record, other = await bench.keep(a_claimed_record()), await bench.keep(a_claimed_record())
    with pytest.raises(StreamProtocol):
        await bench.telemetry.receive(stream([a_report(record, 1), a_report(other, 1)]))


async def test_an_unknown_job_and_a_foreign_host_get_nowhere(bench: Bench) -> None:
    with pytest.raises(NotFound):
        await bench.telemetry.receive(stream([a_report(a_claimed_record(), 1)]))
    record = await bench.keep(a_claimed_record())
    other = Principal(key_id="k", user_id="", scopes=frozenset({"host"}), projects=frozenset({"*"}), host_id="berta")
    with acting_as(other), pytest.raises(PermissionDenied):
        await bench.telemetry.receive(stream([a_report(record, 1)]))


async def test_progress_is_lossy_when_the_store_is_away(bench: Bench) -> None:
    record = await bench.keep(a_claimed_record())

    async def away_meanwhile() -> AsyncIterator[ReportTelemetryRequest]:
        yield a_report(record, 1)
        bench.bus.go_away()
        yield a_report(record, 2)

    await bench.telemetry.receive(away_meanwhile())
    await bench.clock.advance(0.1)
    bench.bus.come_back()
    await bench.telemetry.receive(stream([a_report(record, 3)]))
    await bench.clock.advance(0.1)
    assert await bench.published() == [3]


async def test_of_a_prediction_lines_are_kept_and_nothing_is_published(bench: Bench) -> None:
    record = await bench.keep(a_claimed_record(a_record(an_infer_spec())))
    assert await bench.telemetry.receive(stream([a_report(record, 5, "hello")])) == 1
    await bench.clock.advance(0.1)
    assert bench.logs.lines == ["1:hello"]
    assert await bench.published() == []
    assert await bench.bus.last_message(LOGS, LOGS.subjects[0]) is None
