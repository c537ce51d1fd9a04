from datetime import timedelta

import pytest

from headway.contract import transitions
from headway.contract.priority import effective_priority, request_priority
from headway.testing.builders import A_MOMENT, a_claimed_record, a_host, a_record, a_spec, an_infer_spec
from headway.v1.job_specs_pb2 import ResourceSpec
from headway.v1.jobs_pb2 import FAILURE_CLASS_TRANSIENT, JOB_STATE_PAUSED, Failure
from headway.v1.records_pb2 import JobRecord
from scheduler import job_index
from scheduler.job_index import JobIndex, demand_of, parse_record, wait_seconds
from scheduler.snapshot import HeldJob, QueuedJob

BROKEN = Failure(failure_class=FAILURE_CLASS_TRANSIENT, reason="BROKEN", message="it broke")


def put(index: JobIndex, record: JobRecord, revision: int = 1) -> str:
    job_id = record.job.name.rpartition("/")[2]
    index.put(job_id, revision, record, now=A_MOMENT, now_seconds=1000.0)
    return job_id


def failed_once(record: JobRecord) -> JobRecord:
    return transitions.fail_attempt(record, attempt=1, failure=BROKEN, now=A_MOMENT)


def cancelled(record: JobRecord) -> JobRecord:
    changed = transitions.request_cancel(record, message="", now=A_MOMENT)
    assert changed is not None
    return changed


def test_a_queued_job_is_in_the_queue() -> None:
    index = JobIndex()
    job_id = put(index, a_record())

    (queued,) = index.queued
    assert (queued.job_id, queued.ready_at) == (job_id, 1000.0)
    assert index.held == ()


def test_a_claimed_job_leaves_the_queue_and_is_held() -> None:
    index, record = JobIndex(), a_record()
    put(index, record, 1)
    job_id = put(index, a_claimed_record(record), 2)

    assert index.queued == ()
    (held,) = index.held
    assert (held.key, held.host) == ((job_id, 1), "hosts/anton")
    assert list(index.held_by("hosts/anton")) == [held]
    assert list(index.held_by("hosts/berta")) == []


def test_another_priority_changes_the_place_in_the_queue_at_once() -> None:
    index = JobIndex()
    early, late = a_record(), a_record(now=A_MOMENT + timedelta(minutes=1))
    first, second = put(index, early), put(index, late)
    assert [job.job_id for job in index.queued] == [first, second]

    raised = request_priority(late, 1, message="", now=A_MOMENT)
    assert raised is not None
    put(index, raised, 2)

    assert [job.job_id for job in index.queued] == [second, first]
    assert index.num_ahead(index.queued[1]) == 1


def test_another_priority_neither_shortens_nor_prolongs_the_wait_for_a_retry() -> None:
    waiting = failed_once(a_claimed_record())
    raised = request_priority(waiting, 1, message="", now=A_MOMENT + timedelta(milliseconds=400))
    assert raised is not None

    assert wait_seconds(raised, A_MOMENT + timedelta(milliseconds=400)) == pytest.approx(0.6)


def test_an_older_revision_changes_nothing() -> None:
    index, record = JobIndex(), a_record()
    job_id = put(index, a_claimed_record(record), 5)

    assert not index.put(job_id, 5, record, now=A_MOMENT, now_seconds=0.0)
    assert not index.put(job_id, 4, record, now=A_MOMENT, now_seconds=0.0)
    assert index.queued == ()


def test_a_job_that_is_over_is_let_go_of_and_never_comes_back() -> None:
    index, record = JobIndex(), a_record()
    put(index, record, 1)
    job_id = put(index, cancelled(record), 2)

    assert index.find(job_id) is None
    assert index.queued == ()
    assert index.is_settled(job_id)
    assert not index.put(job_id, 1, record, now=A_MOMENT, now_seconds=0.0)


def test_only_the_newest_settled_jobs_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_index, "SETTLED_KEPT", 2)
    index = JobIndex()
    first, second, third = (put(index, cancelled(a_record()), revision) for revision in (1, 2, 3))

    assert [index.is_settled(job_id) for job_id in (first, second, third)] == [False, True, True]


def test_a_removed_job_is_forgotten() -> None:
    index = JobIndex()
    queued, held = put(index, a_record(), 3), put(index, a_claimed_record(), 4)

    assert not index.remove(queued, 3), "an older word about a known job is no news"
    assert index.remove(queued, 5)
    assert index.remove(held, 6)
    assert not index.remove("unknown", 7)
    assert (index.queued, index.held) == ((), ())


def test_a_job_that_waits_for_a_caller_is_neither_queued_nor_held() -> None:
    index, record = JobIndex(), a_record()
    record.job.state = JOB_STATE_PAUSED
    job_id = put(index, record)

    live = index.find(job_id)
    assert live is not None
    assert live.view is None
    assert (index.queued, index.held) == ((), ())


def test_priority_goes_first_then_age() -> None:
    index = JobIndex()
    late = put(index, a_record(now=A_MOMENT + timedelta(minutes=5)))
    early = put(index, a_record(now=A_MOMENT))
    urgent = put(index, a_record(a_spec(priority=1), now=A_MOMENT + timedelta(minutes=6)))

    assert [job.job_id for job in index.queued] == [urgent, early, late]
    assert [index.num_ahead(job) for job in index.queued] == [0, 1, 2]


def test_an_hour_of_waiting_is_worth_one_point() -> None:
    index = JobIndex()
    waited = put(index, a_record(a_spec(priority=0), now=A_MOMENT))
    newer = put(index, a_record(a_spec(priority=1), now=A_MOMENT + timedelta(minutes=59)))
    too_late = put(index, a_record(a_spec(priority=1), now=A_MOMENT + timedelta(minutes=61)))

    assert [job.job_id for job in index.queued] == [newer, waited, too_late]


def test_equal_priorities_go_by_the_time_of_creation() -> None:
    """After an hour the older job has as many points as the newer one was given: then the older goes first."""
    index = JobIndex()
    older = put(index, a_record(a_spec(priority=0), now=A_MOMENT))
    newer = put(index, a_record(a_spec(priority=1), now=A_MOMENT + timedelta(hours=1)))

    assert [job.job_id for job in index.queued] == [older, newer]


def test_effective_priority_is_base_and_hours_waited() -> None:
    job = a_record(a_spec(priority=3), now=A_MOMENT).job

    assert effective_priority(job, A_MOMENT + timedelta(minutes=90)) == 4.5
    assert effective_priority(job, A_MOMENT - timedelta(days=1)) == 3.0, "a wall clock that went back takes no points"


def test_a_retry_is_ready_when_its_wait_is_over() -> None:
    index = JobIndex()
    put(index, failed_once(a_claimed_record()))

    (queued,) = index.queued
    assert queued.ready_at == 1001.0


@pytest.mark.parametrize(
    ("jump", "expected"), [(timedelta(0), 1.0), (timedelta(days=1), 0.0), (timedelta(days=-1), 1.0)]
)
def test_a_wall_clock_that_jumps_makes_no_retry_wait_longer(jump: timedelta, expected: float) -> None:
    """P22: the wait decided is the longest there is."""
    assert wait_seconds(failed_once(a_claimed_record()), A_MOMENT + jump) == expected


def test_a_job_without_a_retry_waits_for_nothing() -> None:
    assert wait_seconds(a_record(), A_MOMENT) == 0.0


@pytest.mark.parametrize(
    ("resources", "num_gpus"),
    [
        (ResourceSpec(), 0),
        (ResourceSpec(require_gpu=True), 1),
        (ResourceSpec(require_gpu=True, gpu_count=4), 4),
        (ResourceSpec(gpu_count=4), 0),
    ],
)
def test_gpus_are_held_only_where_one_is_required(resources: ResourceSpec, num_gpus: int) -> None:
    spec = a_spec(resources=resources)

    assert demand_of(spec, "tabular_train").num_gpus == num_gpus


def test_equal_demands_are_one_object(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_index, "DEMANDS_KEPT", 1)
    index = JobIndex()
    for memory_mib in (1, 1, 2, 3):
        put(index, a_record(a_spec(resources=ResourceSpec(memory_mib=memory_mib)), now=A_MOMENT))

    same = [job.demand for job in index.queued if job.demand.memory_mib == 1]
    assert same[0] is same[1]


def test_the_views_are_what_a_pass_expects() -> None:
    index, record = JobIndex(), a_record()
    live = index.find(put(index, record, 1))
    assert live is not None
    assert isinstance(live.view, QueuedJob)
    live = index.find(put(index, a_claimed_record(record, host=a_host("berta")), 2))
    assert live is not None
    assert isinstance(live.view, HeldJob)


def test_a_record_is_read_under_its_own_key_only() -> None:
    record = a_record()
    job_id = record.job.name.rpartition("/")[2]

    assert parse_record(job_id, record.SerializeToString()) == record
    with pytest.raises(ValueError, match="is one of"):
        parse_record("j" + "a" * 25, record.SerializeToString())


@pytest.mark.parametrize("data", [b"", b"\xff\xff\xff", b"no record at all", JobRecord().SerializeToString()])
def test_garbage_is_no_record(data: bytes) -> None:
    with pytest.raises(ValueError, match="no record of a job"):
        parse_record("j" + "a" * 25, data)


def test_predictions_wait_in_a_lane_of_their_own() -> None:
    index = JobIndex()
    training, prediction = a_record(), a_record(an_infer_spec())
    first, second = put(index, training), put(index, prediction)

    assert [job.job_id for job in index.queued] == [first]
    assert [job.job_id for job in index.queued_inference] == [second]
    assert index.num_ahead(index.queued_inference[0]) == 0

    put(index, a_claimed_record(prediction), 2)
    assert index.queued_inference == ()
    assert [job.demand.is_inference for job in index.held] == [True]
