"""Counting queued jobs (RELIABILITY B22, P27)."""

from datetime import timedelta

import pytest

from gateway.projection.rows import JobSeen
from gateway.projection.table import QueuedRow
from gateway.queue_depth import QueueDepth
from headway.contract.errors import QueueFull
from headway.contract.times import moment
from headway.contract.transitions import claim
from headway.testing.builders import a_record as an_internal_record
from headway.testing.builders import an_infer_spec
from headway.v1.job_specs_pb2 import EXECUTION_MODE_LOCAL
from tests.unit.gateway.builders import NOW, PROJECT, a_host, a_record, seen

DAY = timedelta(days=1)


@pytest.fixture
def queue() -> QueueDepth:
    return QueueDepth(per_project=2, per_key=3)


def test_the_limit_of_a_project_is_told_with_what_is_left(queue: QueueDepth) -> None:
    queue.reserve("j1", PROJECT, "a")
    queue.reserve("j2", PROJECT, "b")
    with pytest.raises(QueueFull) as caught:
        queue.reserve("j3", PROJECT, "c")
    assert caught.value.metadata == {
        "quota": "queued jobs per project",
        "subject": "projects/demo",
        "limit": "2",
        "left": "0",
    }
    assert caught.value.retry_after is not None
    queue.reserve("j3", "another", "c")


def test_the_limit_of_a_key_counts_over_projects(queue: QueueDepth) -> None:
    for number in range(3):
        queue.reserve(f"j{number}", f"p{number}", "a")
    with pytest.raises(QueueFull, match="key"):
        queue.reserve("j9", "p9", "a")


def test_a_refused_job_was_not_counted(queue: QueueDepth) -> None:
    for number in range(3):
        queue.reserve(f"j{number}", f"p{number}", "a")
    with pytest.raises(QueueFull):
        queue.reserve("j9", "p9", "a")
    queue.reserve("j9", "p9", "b")
    queue.reserve("j10", "p9", "b")


def test_a_job_leaves_the_queue_when_it_is_claimed_and_returns_when_it_is_moved(queue: QueueDepth) -> None:
    one, two = a_record(), a_record()
    queue.saw(seen(one, 1))
    queue.saw(seen(two, 2))
    with pytest.raises(QueueFull):
        queue.reserve("j", PROJECT, "b")
    running = claim(one, host=a_host(), mode=EXECUTION_MODE_LOCAL, fallback_reason="", now=NOW)
    queue.saw(seen(running, 3))
    queue.reserve("j", PROJECT, "b")
    queue.release("j", PROJECT, "b")
    queue.saw(seen(one, 4))
    with pytest.raises(QueueFull):
        queue.reserve("j", PROJECT, "b")


def test_the_echo_of_a_reserved_job_does_not_count_twice(queue: QueueDepth) -> None:
    record = a_record()
    queue.reserve(record.job.name.rpartition("/")[2], PROJECT, "key1")
    queue.saw(seen(record, 1))
    queue.reserve("j", PROJECT, "key1")


def test_a_record_that_vanishes_leaves_the_queue(queue: QueueDepth) -> None:
    record = a_record()
    queue.saw(seen(record, 1))
    queue.reserve("j1", PROJECT, "b")
    queue.saw(JobSeen(record.job.name.rpartition("/")[2], 2, None, b""))
    queue.reserve("j2", PROJECT, "b")


def test_it_begins_with_what_the_projection_knows(queue: QueueDepth) -> None:
    queue.reserve("forgotten", PROJECT, "a")
    queue.load([QueuedRow("j1", PROJECT, "a", 0), QueuedRow("j2", PROJECT, "a", 0)])
    with pytest.raises(QueueFull):
        queue.reserve("j3", PROJECT, "a")


def test_a_clock_that_was_put_back_lets_nobody_push_in_p22(queue: QueueDepth) -> None:
    first = a_record()
    queue.saw(seen(first, 1))
    created = moment(first.job.create_time)

    second, third = (queue.place(created - DAY) for _ in range(2))

    assert created < second < third < created + timedelta(milliseconds=1)
    assert queue.place(created + DAY) == created + DAY


def test_a_clock_that_was_put_back_during_a_restart_lets_nobody_push_in_p22(queue: QueueDepth) -> None:
    queue.load([QueuedRow("j1", PROJECT, "a", int(NOW.timestamp() * 1_000_000))])

    assert NOW < queue.place(NOW - DAY) < NOW + timedelta(milliseconds=1)


def test_where_nobody_waits_a_clock_may_be_put_back(queue: QueueDepth) -> None:
    queue.reserve("j1", PROJECT, "a")
    queue.place(NOW)
    queue.release("j1", PROJECT, "a")

    assert queue.place(NOW - DAY) == NOW - DAY


def test_predictions_do_not_count(queue: QueueDepth) -> None:
    for number in range(10):
        queue.saw(seen(an_internal_record(an_infer_spec()), number + 1))

    queue.reserve("j1", PROJECT, "key1")
    queue.reserve("j2", PROJECT, "key1")
