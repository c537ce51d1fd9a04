"""Explanations: the scheduler's, or the gateway's own while the scheduler is away."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.explain import Explainer
from gateway.projection.view import Projection
from headway.contract.errors import Code, NotFound
from headway.contract.host_facts import HostFacts
from headway.contract.pausing import request_pause
from headway.contract.transitions import fail_attempt
from headway.runtime.remote_error import RemoteError
from headway.testing.clock import ManualClock
from headway.v1.jobs_pb2 import FAILURE_CLASS_FATAL, Failure
from headway.v1.jobs_service_pb2 import ExplainJobRequest, ExplainJobResponse
from tests.unit.gateway.builders import NOW, a_host, a_principal, a_record, a_spec, seen
from tests.unit.gateway.test_watch_job import Bucket


@dataclass
class FakeScheduler:
    """Answers, or is away."""

    answer: ExplainJobResponse | None = None

    async def explain(self, job_name: str) -> ExplainJobResponse:
        if self.answer is None:
            raise RemoteError(Code.UNAVAILABLE, "UNAVAILABLE", "nobody there")
        return self.answer


@dataclass
class Hosts:
    up: list[HostFacts] = field(default_factory=list)

    def live(self) -> list[HostFacts]:
        return self.up


@pytest.fixture
async def projection(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Projection]:
    projection = Projection(tmp_path / "projection.db", clock)
    await projection.begin(NOW)
    yield projection
    await projection.aclose()


@pytest.fixture
def bucket() -> Bucket:
    return Bucket(a_record(a_spec(priority=3)))


async def explained(
    bucket: Bucket, projection: Projection, clock: ManualClock, scheduler: FakeScheduler, hosts: Hosts | None = None
) -> ExplainJobResponse:
    explainer = Explainer(bucket, projection, hosts or Hosts(), scheduler, clock)
    return await explainer.explain(ExplainJobRequest(name=bucket.record.job.name), a_principal())


async def test_the_schedulers_words_are_passed_on(bucket: Bucket, projection: Projection, clock: ManualClock) -> None:
    answer = ExplainJobResponse(summary="QUEUED: 3 ahead", num_ahead=3)
    assert await explained(bucket, projection, clock, FakeScheduler(answer)) == answer


async def test_without_a_scheduler_the_gateway_says_what_it_knows(
    bucket: Bucket, projection: Projection, clock: ManualClock
) -> None:
    clock.set_wall(NOW + timedelta(hours=2))
    urgent, later = a_record(a_spec(priority=9)), a_record(a_spec(priority=1))
    for number, record in enumerate((urgent, bucket.record, later), 1):
        projection.offer(seen(record, number))
    hosts = Hosts([a_host(), a_host(name="hosts/busy", draining=True), a_host(name="hosts/bare", kinds=frozenset())])
    found = await explained(bucket, projection, clock, FakeScheduler(), hosts)
    assert found.num_ahead == 1
    assert found.effective_priority == pytest.approx(5.0)
    assert "1 ahead" in found.summary
    assert [(one.host, one.suitable, one.reason) for one in found.verdicts] == [
        ("hosts/local", True, ""),
        ("hosts/busy", False, "DRAINING"),
        ("hosts/bare", False, "NO_RECIPE"),
    ]


async def test_with_no_host_up_that_is_the_reason(bucket: Bucket, projection: Projection, clock: ManualClock) -> None:
    assert "no trainer host is up" in (await explained(bucket, projection, clock, FakeScheduler())).summary


async def test_a_failed_job_is_explained_by_its_failure(
    bucket: Bucket, projection: Projection, clock: ManualClock
) -> None:
    bucket.claim()
    failure = Failure(failure_class=FAILURE_CLASS_FATAL, reason="DIVERGED", message="the loss is not finite")
    bucket.change(lambda record: fail_attempt(record, attempt=1, failure=failure, now=NOW))
    found = await explained(bucket, projection, clock, FakeScheduler())
    assert found.summary.startswith("FAILED: DIVERGED: the loss is not finite")


async def test_a_running_job_names_its_host(bucket: Bucket, projection: Projection, clock: ManualClock) -> None:
    bucket.claim()
    found = await explained(bucket, projection, clock, FakeScheduler())
    assert found.summary == "RUNNING: attempt 1 is held by hosts/local in mode local"


async def test_a_paused_job_says_who_it_waits_for(bucket: Bucket, projection: Projection, clock: ManualClock) -> None:
    bucket.change(lambda record: request_pause(record, message="for the night", now=NOW))
    found = await explained(bucket, projection, clock, FakeScheduler())
    assert found.summary == "PAUSED: it waits to be resumed (for the night); it had not begun"


async def test_a_forbidden_job_is_not_explained_p29(bucket: Bucket, projection: Projection, clock: ManualClock) -> None:
    explainer = Explainer(bucket, projection, Hosts(), FakeScheduler(ExplainJobResponse(summary="secret")), clock)
    with pytest.raises(NotFound):
        await explainer.explain(ExplainJobRequest(name=bucket.record.job.name), a_principal(projects=["other"]))
