import asyncio
import json

import pytest

from gateway.bucket_index import BucketIndex
from gateway.model_versions import version_name
from gateway.registrar import Registrar
from headway.contract.events import job_event
from headway.contract.ids import JobName
from headway.contract.subjects import (
    BUCKETS,
    EVENTS,
    JOBS,
    MODELS,
    STREAMS,
    job_event_subject,
    model_event_subject,
)
from headway.contract.transitions import commit_result
from headway.runtime.bus import Bus
from headway.runtime.clock import SystemClock
from headway.runtime.redaction import Redactor
from headway.testing.builders import A_MOMENT, a_claimed_record, a_record
from headway.testing.clock import ManualClock
from headway.testing.eventually import eventually
from headway.testing.memory_bus import MemoryBus
from headway.v1.jobs_pb2 import Artifact, Bundle, JobResult
from headway.v1.records_pb2 import JobRecord, ModelRecord

SUBJECT = model_event_subject("registered", "demo", "iris")


def a_saved_record(model_id: str = "iris") -> JobRecord:
    record = a_record()
    record.model_id = model_id
    record = a_claimed_record(record)
    bundle = Bundle(digest="sha256:" + "1" * 64, artifacts=[Artifact(path="model.json")])
    result = JobResult(bundle=bundle, attempt=1, model_version=version_name(record))
    return commit_result(record, host=record.job.host, result=result, now=A_MOMENT)


@pytest.fixture
async def registrar(bus: Bus) -> Registrar:
    index = BucketIndex(bus, MODELS, ModelRecord, SystemClock())
    jobs, models = bus.records(JOBS, JobRecord), bus.records(MODELS, ModelRecord)
    return Registrar(bus, jobs, models, index, SystemClock(), clean=Redactor().clean)


async def versions(bus: Bus) -> list[int]:
    found = await bus.records(MODELS, ModelRecord).find("demo/iris")
    return [version.number for version in found.value.model.versions] if found is not None else []


async def test_a_path_in_a_metric_is_not_told(bus: Bus, registrar: Registrar) -> None:
    """F-5."""
    record = a_saved_record()
    record.job.result.summary.headline_metric = "/" + "home/u/accuracy"
    await registrar.register(record)
    message = await bus.last_message(EVENTS, SUBJECT)
    assert message is not None
    assert json.loads(message.data)["data"]["headline_metric"] == "<path>"


async def test_any_number_of_calls_at_once_make_one_version_and_one_event(bus: Bus, registrar: Registrar) -> None:
    record = a_saved_record()
    made = await asyncio.gather(*(registrar.register(record) for _ in range(16)))
    assert {version.number for version in made if version is not None} == {1}
    assert await versions(bus) == [1]
    assert (await bus.stream_state(EVENTS)).num_messages == 1


async def test_each_job_has_a_number_of_its_own(bus: Bus, registrar: Registrar) -> None:
    records = [a_saved_record() for _ in range(8)]
    made = await asyncio.gather(*(registrar.register(record) for record in records))
    assert sorted(version.number for version in made if version is not None) == list(range(1, 9))
    assert await versions(bus) == list(range(1, 9))


async def test_what_is_listed_can_be_read_in_full(bus: Bus, registrar: Registrar) -> None:
    record = a_saved_record()
    await registrar.register(record)
    stored = await bus.records(MODELS, ModelRecord).get(f"demo/iris/{JobName.parse(record.job.name).job_id}")
    assert len(stored.value.model.versions[0].bundle.artifacts) == 1


async def test_a_job_that_saves_nothing_makes_nothing(bus: Bus, registrar: Registrar) -> None:
    assert await registrar.register(a_saved_record(model_id="")) is None
    assert await registrar.register(a_claimed_record()) is None
    assert await versions(bus) == []


async def test_a_crash_before_the_event_is_made_up_for(
    bus: Bus, registrar: Registrar, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = a_saved_record()

    async def die(_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(registrar, "_tell", die)
    with pytest.raises(RuntimeError):
        await registrar.register(record)
    monkeypatch.undo()
    await registrar.register(record)
    message = await bus.last_message(EVENTS, SUBJECT)
    assert message is not None
    assert json.loads(message.data)["data"]["run_id"] == JobName.parse(record.job.name).job_id
    assert await versions(bus) == [1]


async def test_a_job_that_comes_again_much_later_is_not_told_of_again() -> None:
    """The server forgets message ids after minutes; a durable consumer can bring a job again after days."""
    clock = ManualClock()
    bus = MemoryBus(clock)
    await bus.provision(BUCKETS, STREAMS)
    index = BucketIndex(bus, MODELS, ModelRecord, clock)
    jobs, models = bus.records(JOBS, JobRecord), bus.records(MODELS, ModelRecord)
    registrar = Registrar(bus, jobs, models, index, clock, clean=Redactor().clean)
    record = a_saved_record()
    await registrar.register(record)
    await clock.advance(86_400)
    await registrar.register(record)
    assert (await bus.stream_state(EVENTS)).last_sequence == 1


async def tell_completed(bus: Bus, record: JobRecord) -> None:
    """As the scheduler does, whenever it comes to it."""
    event = job_event(record.job, record.job.transitions[-1])
    assert event is not None
    assert event.subject.startswith("trainer.train.completed.")
    await bus.publish(event.subject, event.body, message_id=event.message_id, headers=event.headers)


async def test_the_completion_brings_what_a_crash_left_undone(bus: Bus, registrar: Registrar) -> None:
    """Whatever else is in the stream: events that nobody can read, and those of jobs that are gone."""
    jobs = bus.records(JOBS, JobRecord)
    await bus.publish(job_event_subject("completed", "demo", "jbad"), b"\xff\xff")
    await tell_completed(bus, a_saved_record())
    record = a_saved_record()
    await jobs.put(JobName.parse(record.job.name).job_id, record)
    await tell_completed(bus, record)
    task = asyncio.create_task(registrar.run())

    async def is_registered() -> bool:
        return await versions(bus) == [1]

    await eventually(is_registered)
    task.cancel()
