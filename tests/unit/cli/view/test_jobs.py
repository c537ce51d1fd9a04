from datetime import timedelta

from headway.cli.view.jobs import attempt_line, job_rows
from headway.contract import transitions
from headway.testing.builders import A_MOMENT, a_claimed_record, a_host
from headway.v1.jobs_pb2 import Checkpoint, Job


def a_job_that_moved(num_checkpoints: int) -> Job:
    record = a_claimed_record()
    lost = transitions.lose_attempt(record, attempt=1, now=A_MOMENT + timedelta(seconds=1))
    record = a_claimed_record(lost, host=a_host("berta"), now=A_MOMENT + timedelta(seconds=2))
    for step in range(1, num_checkpoints + 1):
        checkpoint = Checkpoint(attempt=2, step=step)
        record = transitions.commit_checkpoint(record, host="hosts/berta", checkpoint=checkpoint, now=A_MOMENT)
    return record.job


def test_each_attempt_is_told_with_its_end_and_why() -> None:
    first, second = a_job_that_moved(0).attempts
    assert "on anton" in attempt_line(first)
    assert "LOST  HOST_LOST - hosts/anton was not heard of" in attempt_line(first)
    assert attempt_line(second).startswith("2  on berta")
    assert attempt_line(second).endswith("runs")


def test_the_attempts_of_a_job_with_many_checkpoints_are_told() -> None:
    """Whatever its history has room for."""
    rows = dict(job_rows(a_job_that_moved(100)))
    assert "HOST_LOST" in rows["attempts"]
    assert "2  on berta" in rows["attempts"]
