"""A job's priority: its own, what waiting adds, and the wish to change it. Which states allow it: test_wishes."""

from datetime import timedelta

import pytest

from headway.contract.errors import InvalidTransition
from headway.contract.priority import base_priority, effective_priority, request_priority
from headway.testing.builders import A_MOMENT, a_record, a_spec
from headway.v1.job_specs_pb2 import JobSpec
from headway.v1.jobs_pb2 import Job
from tests.job_lives import lives, wished


def test_a_job_begins_with_the_priority_of_its_spec() -> None:
    assert base_priority(a_record(a_spec(priority=-7)).job) == -7


def test_a_record_of_an_older_release_has_the_priority_of_its_spec() -> None:
    assert base_priority(Job(spec=JobSpec(priority=4))) == 4


def test_another_priority_leaves_the_spec_alone_and_says_why() -> None:
    record = wished(request_priority(a_record(a_spec(priority=2)), 0, message="it can wait", now=A_MOMENT))

    assert (base_priority(record.job), record.job.spec.priority) == (0, 2)
    told = record.job.transitions[-1]
    assert (told.event, told.reason, told.message) == (
        "priority_changed",
        "PRIORITY_REQUESTED",
        "from 2 to 0: it can wait",
    )


def test_the_effective_priority_is_base_and_hours_waited() -> None:
    record = wished(request_priority(a_record(), 3, message="", now=A_MOMENT))

    assert effective_priority(record.job, A_MOMENT + timedelta(minutes=90)) == 4.5
    assert effective_priority(record.job, A_MOMENT - timedelta(days=1)) == 3.0, "a clock that went back takes no points"


def test_the_same_priority_is_no_change_and_a_job_that_is_over_has_none_to_change() -> None:
    assert request_priority(a_record(a_spec(priority=3)), 3, message="again", now=A_MOMENT) is None
    with pytest.raises(InvalidTransition, match="submit it again"):
        request_priority(lives()["SUCCEEDED"], 0, message="", now=A_MOMENT)
