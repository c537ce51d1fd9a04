"""Resume tokens of watches (RELIABILITY E7, P24)."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.watch_token import read_watch_token, write_watch_token
from headway.contract.errors import ResumeTokenExpired
from headway.v1.jobs_pb2 import Job, Transition

JOB = "j" + "a" * 25
OTHER = "j" + "b" * 25


def a_job(first: int, last: int) -> Job:
    """A job whose history holds these transitions."""
    return Job(transitions=[Transition(number=number) for number in range(first, last + 1)])


@pytest.mark.parametrize("number", [4, 5, 9])
def test_a_token_leads_to_the_transition_after_it(number: int) -> None:
    assert read_watch_token(write_watch_token(JOB, number), JOB, a_job(5, 9)) == number


def test_a_token_from_the_future_is_refused_e7() -> None:
    with pytest.raises(ResumeTokenExpired, match="not of this job"):
        read_watch_token(write_watch_token(JOB, 10), JOB, a_job(5, 9))


def test_a_token_older_than_the_history_is_refused_e7() -> None:
    with pytest.raises(ResumeTokenExpired, match="older than the history"):
        read_watch_token(write_watch_token(JOB, 3), JOB, a_job(5, 9))


def test_a_token_before_a_gap_in_the_history_is_refused_p24() -> None:
    """Older checkpoints are let go before what is older still."""
    job = Job(transitions=[Transition(number=number) for number in (1, 2, 6, 7, 8)])
    for number in (5, 6, 8):
        assert read_watch_token(write_watch_token(JOB, number), JOB, job) == number
    for number in (1, 2, 4):
        with pytest.raises(ResumeTokenExpired, match="older than the history"):
            read_watch_token(write_watch_token(JOB, number), JOB, job)


def test_a_token_of_another_job_is_refused_e7() -> None:
    with pytest.raises(ResumeTokenExpired):
        read_watch_token(write_watch_token(OTHER, 5), JOB, a_job(5, 9))


@given(st.text(max_size=200))
def test_a_made_up_token_is_refused_and_breaks_nothing_e7(token: str) -> None:
    with pytest.raises(ResumeTokenExpired):
        read_watch_token(token, JOB, a_job(5, 9))


@pytest.mark.parametrize("content", [f"{JOB}:", f"{JOB}:-1", f"{JOB}:{'9' * 30}", f"{JOB}:٣", f"{JOB}:5:6", "5"])
def test_a_token_of_another_shape_is_refused_e7(content: str) -> None:
    with pytest.raises(ResumeTokenExpired):
        read_watch_token(base64.urlsafe_b64encode(content.encode()).decode().rstrip("="), JOB, a_job(1, 9))
