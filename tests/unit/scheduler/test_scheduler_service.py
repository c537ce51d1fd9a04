from datetime import timedelta
from unittest.mock import sentinel

import pytest

from headway.contract import transitions
from headway.contract.errors import InvalidName, NoGpuHost, NotFound, ServiceUnavailable
from headway.runtime.principal import Principal, acting_as
from headway.testing.builders import A_MOMENT, a_claimed_record, a_host, a_record
from headway.v1.job_specs_pb2 import EXECUTION_MODE_HOST, EXECUTION_MODE_LOCAL
from headway.v1.scheduler_service_pb2 import ExplainRequest, SelectModeRequest
from scheduler.host_table import Word
from scheduler.scheduler_service import SchedulerService
from scheduler.synchronize import Synchronizer
from tests.unit.scheduler.stage import LEASE_SECONDS, Stage, a_stage
from tests.unit.scheduler.test_synchronize import Spawn

READER = Principal(key_id="k", user_id="u", scopes=frozenset({"read"}), projects=frozenset({"demo"}))


class Leader:
    """Leads once the stage has recovered."""

    def __init__(self, stage: Stage, synchronizer: Synchronizer) -> None:
        self._stage = stage
        self._synchronizer = synchronizer

    def check(self) -> None:
        if not self._stage.recovered.is_set():
            raise ServiceUnavailable("still recovering", retry_after=timedelta(seconds=1))

    async def synchronizer(self) -> Synchronizer:
        return self._synchronizer


async def a_service() -> tuple[Stage, SchedulerService]:
    stage = await a_stage()
    stage.recovered.set()
    synchronizer = Synchronizer(stage.view, stage.signals, Spawn(), stage.clock, lease=timedelta(seconds=LEASE_SECONDS))
    return stage, SchedulerService(stage.view, Leader(stage, synchronizer), stage.records, stage.clock)


async def explain(service: SchedulerService, name: str) -> str:
    with acting_as(READER):
        return (await service.Explain(ExplainRequest(job=name), sentinel.context)).summary


async def test_a_waiting_job_is_explained_from_the_view() -> None:
    stage, service = await a_service()
    job_id = await stage.store(a_record())

    assert (await explain(service, f"projects/demo/jobs/{job_id}")).startswith("QUEUED: no trainer host is up")


async def test_another_job_is_explained_from_its_record() -> None:
    stage, service = await a_service()
    job_id = await stage.store(a_claimed_record())

    assert (await explain(service, f"projects/demo/jobs/{job_id}")).startswith("RUNNING: attempt 1")


async def test_a_job_that_is_over_is_explained_from_its_record() -> None:
    stage, service = await a_service()
    cancelled = transitions.request_cancel(a_record(), message="", now=A_MOMENT)
    assert cancelled is not None
    job_id = await stage.store(cancelled)

    assert (await explain(service, f"projects/demo/jobs/{job_id}")).startswith("CANCELLED")


async def test_a_job_that_the_feed_has_not_brought_yet_is_explained_all_the_same() -> None:
    stage, service = await a_service()
    record = a_record()
    job_id = record.job.name.rpartition("/")[2]
    await stage.records.create(job_id, record)

    assert (await explain(service, record.job.name)).startswith("QUEUED: no trainer host is up")


async def test_a_job_of_a_foreign_project_and_one_that_does_not_exist_look_alike() -> None:
    stage, service = await a_service()
    foreign = await stage.store(a_record(project="secret"))
    queued = await stage.store(a_record())
    unknown = "j" + "a" * 25

    for name in (f"projects/secret/jobs/{foreign}", f"projects/demo/jobs/{foreign}", f"projects/demo/jobs/{unknown}"):
        with pytest.raises(NotFound, match="does not exist, or this key may not see it"):
            await explain(service, name)
    assert queued


async def test_a_name_that_is_none_is_refused() -> None:
    _, service = await a_service()
    with pytest.raises(InvalidName):
        await explain(service, "nonsense")


async def test_a_mode_is_selected_as_things_stand() -> None:
    stage, service = await a_service()
    stage.hear(Word(a_host("remote", mode=EXECUTION_MODE_HOST), {}, ()))
    asked = SelectModeRequest(execution_mode=EXECUTION_MODE_HOST, kind="tabular_train")

    assert (await service.SelectMode(asked, sentinel.context)).mode == EXECUTION_MODE_HOST

    asked = SelectModeRequest(execution_mode=EXECUTION_MODE_HOST, kind="tokenizer_train")
    answer = await service.SelectMode(asked, sentinel.context)
    assert answer.mode == EXECUTION_MODE_LOCAL
    assert answer.fallback_reason


async def test_a_required_gpu_that_nobody_has_is_refused() -> None:
    _, service = await a_service()
    with pytest.raises(NoGpuHost):
        await service.SelectMode(SelectModeRequest(require_gpu=True, kind="tabular_train"), sentinel.context)


async def test_nothing_is_answered_before_recovery() -> None:
    stage, service = await a_service()
    stage.recovered.clear()
    with pytest.raises(ServiceUnavailable) as caught:
        await service.SelectMode(SelectModeRequest(kind="tabular_train"), sentinel.context)
    assert caught.value.retry_after
    with pytest.raises(ServiceUnavailable):
        await explain(service, "projects/demo/jobs/j")
