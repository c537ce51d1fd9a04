import json

import pytest

from headway.cli.listen.event_names import all_types, resolve
from headway.cli.listen.heard import HeardEvent, read_event
from headway.cli.listen.wanted import wanted_of
from headway.contract.errors import InvalidName
from headway.contract.subjects import host_event_subject, job_event_subject, model_event_subject
from headway.testing.memory_stream import matches

JOB, OTHER = "j" + "a" * 25, "j" + "b" * 25


def event(subject: str, run_id: str = "") -> HeardEvent:
    return read_event(subject, json.dumps({"id": "1", "data": {"run_id": run_id}}).encode())


EVERY = [
    event(job_event_subject("completed", "p", JOB), JOB),
    event(job_event_subject("failed", "p", JOB), JOB),
    event(job_event_subject("completed", "q", OTHER), OTHER),
    event(model_event_subject("registered", "p", "iris"), JOB),
    event(host_event_subject("lost", "h1")),
]


@pytest.mark.parametrize(
    ("names", "project", "job", "subject", "taken"),
    [
        (["any"], None, "", None, [0, 1, 2, 3, 4]),
        (["completed"], None, "", "trainer.train.completed.v1.*.*", [0, 2]),
        (["completed", "failed"], "p", "", "trainer.train.*.v1.p.*", [0, 1]),
        (["completed"], None, JOB, f"trainer.train.completed.v1.*.{JOB}", [0]),
        (["train"], "q", JOB, f"trainer.train.*.v1.q.{JOB}", []),
        (["any"], None, f"projects/p/jobs/{JOB}", "trainer.*.*.v1.p.*", [0, 1, 3]),
        (["registered"], None, JOB, "trainer.model.registered.v1.*.*", [3]),
        (["registered"], None, OTHER, "trainer.model.registered.v1.*.*", []),
        (["host.lost"], None, "", "trainer.host.lost.v1.*", [4]),
        (["host.lost", "completed"], None, "", None, [0, 2, 4]),
        (["any"], "q", "", "trainer.*.*.v1.q.*", [2]),
    ],
)
def test_the_pattern_lets_through_what_is_wanted_and_the_question_takes_it(
    names: list[str], project: str | None, job: str, subject: str | None, taken: list[int]
) -> None:
    wanted = wanted_of(resolve(names), project, job)
    assert wanted.subject() == subject
    assert [number for number, one in enumerate(EVERY) if wanted.takes(one)] == taken
    assert all(subject is None or matches(subject, EVERY[number].subject) for number in taken)


def test_what_is_of_no_known_type_is_not_taken() -> None:
    wanted = wanted_of(all_types(), None, "")
    assert not wanted.takes(event("trainer.train.completed.v2.p.j"))
    assert not wanted.takes(event("trainer"))


@pytest.mark.parametrize(
    ("project", "job"), [("Not A Project", ""), (None, "nonsense"), ("*", ""), (None, "projects/*/jobs/>")]
)
def test_what_can_be_no_name_is_refused(project: str | None, job: str) -> None:
    with pytest.raises(InvalidName):
        wanted_of(all_types(), project, job)


@pytest.mark.parametrize(("project", "job"), [("p", ""), (None, JOB)])
def test_hosts_belong_to_no_project_and_no_job(project: str | None, job: str) -> None:
    with pytest.raises(ValueError, match="a host belongs to no project"):
        wanted_of(resolve(["host"]), project, job)
