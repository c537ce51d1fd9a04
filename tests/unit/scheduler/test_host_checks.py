"""Rows E1 to E4 of the abuse corpus, as far as one message goes."""

from datetime import timedelta

import pytest

from headway.contract.errors import InvalidHostState
from headway.contract.ids import new_job_id
from headway.testing.builders import a_host
from headway.v1.hosts_pb2 import Device, Host, HostState, RecipeReport
from headway.v1.jobs_pb2 import (
    ATTEMPT_OUTCOME_FAILED,
    ATTEMPT_OUTCOME_PAUSED,
    ATTEMPT_OUTCOME_SUCCEEDED,
    FAILURE_CLASS_TRANSIENT,
    Failure,
)
from headway.v1.scheduler_service_pb2 import AttemptReport, SynchronizeRequest
from scheduler.host_checks import REPORTS_MAX, VIOLATIONS_MAX, read_word
from tests.proto_fields import with_fields

JOB_ID = new_job_id()
JOB = f"projects/demo/jobs/{JOB_ID}"


def a_request(host: Host | None = None, *reports: AttemptReport, sequence: int = 1) -> SynchronizeRequest:
    return SynchronizeRequest(host=host if host is not None else a_host(), attempts=reports, sequence=sequence)


def changed(**fields: object) -> Host:
    host = a_host()
    for name, value in fields.items():
        setattr(host, name, value)
    return host


def with_devices(*devices: Device) -> Host:
    host = a_host()
    host.devices.extend(devices)
    return host


def with_recipes(*recipes: RecipeReport) -> Host:
    host = a_host()
    host.recipes.extend(recipes)
    return host


def with_labels(**labels: str) -> Host:
    host = a_host()
    host.labels.update(labels)
    return host


def test_a_sound_message_is_read() -> None:
    running = AttemptReport(job=JOB, attempt=1)
    broken = AttemptReport(
        job=JOB,
        attempt=2,
        outcome=ATTEMPT_OUTCOME_FAILED,
        failure=Failure(failure_class=FAILURE_CLASS_TRANSIENT, reason="OUT_OF_MEMORY", message="the child was killed"),
    )
    word = read_word(a_request(a_host(gpus=("T4",)), running, broken))

    assert word.host == a_host(gpus=("T4",))
    assert dict(word.reported) == {(JOB_ID, 1): JOB, (JOB_ID, 2): JOB}
    (end,) = word.ended
    assert (end.job_id, end.attempt, end.reason) == (JOB_ID, 2, "OUT_OF_MEMORY")
    assert (end.failure_class, end.message) == (FAILURE_CLASS_TRANSIENT, "the child was killed")


def test_a_success_carries_no_failure() -> None:
    (end,) = read_word(a_request(None, AttemptReport(job=JOB, attempt=1, outcome=ATTEMPT_OUTCOME_SUCCEEDED))).ended

    assert (end.outcome, end.reason, end.message) == (ATTEMPT_OUTCOME_SUCCEEDED, "", "")


def test_why_a_host_ended_it_by_itself_is_read_and_its_words_are_not() -> None:
    failure = Failure(reason="MAX_RUNTIME", message="words of the host")
    report = AttemptReport(job=JOB, attempt=1, outcome=ATTEMPT_OUTCOME_PAUSED, failure=failure, step=9)
    (end,) = read_word(a_request(None, report)).ended

    assert (end.reason, end.message, end.step) == ("MAX_RUNTIME", "", 9)


@pytest.mark.parametrize(("seconds", "read"), [(12, 12.0), (-5, 0.0), (2**40, timedelta(days=365).total_seconds())])
def test_how_long_an_attempt_was_at_work_is_bounded(seconds: int, read: float) -> None:
    report = AttemptReport(job=JOB, attempt=1)
    report.runtime.seconds = seconds

    assert read_word(a_request(None, report)).run_seconds == {(JOB_ID, 1): read}


def test_what_is_ours_to_say_is_not_taken_from_the_host() -> None:
    boastful = a_host()
    boastful.state = HostState.Value("HOST_STATE_UP")
    boastful.num_running = 9

    assert read_word(a_request(boastful)).host == a_host()


def test_a_reason_that_is_no_word_is_replaced_and_a_long_message_is_cut() -> None:
    failure = Failure(reason="no word!", message="x" * 5000)
    (end,) = read_word(
        a_request(None, AttemptReport(job=JOB, attempt=1, outcome=ATTEMPT_OUTCOME_FAILED, failure=failure))
    ).ended

    assert end.reason == "ATTEMPT_FAILED"
    assert len(end.message) == 1024


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (a_request(changed(name="")), "host.name"),
        (a_request(changed(name="hosts/../etc")), "host.name"),
        (a_request(changed(name="hosts/Anton")), "host.name"),
        (a_request(changed(boot_id="")), "host.boot_id"),
        (a_request(changed(boot_id="a b")), "host.boot_id"),
        (a_request(changed(mode=0)), "host.mode"),
        (a_request(changed(mode=1)), "host.mode"),
        (a_request(changed(num_slots=-1)), "host.num_slots"),
        (a_request(changed(num_slots=10**6)), "host.num_slots"),
        (a_request(changed(num_slots=0)), "host.num_slots"),
        (a_request(changed(num_cpu_cores=0)), "host.num_cpu_cores"),
        (a_request(changed(memory_mib=0)), "host.memory_mib"),
        (a_request(changed(memory_mib=2**62)), "host.memory_mib"),
        (a_request(changed(torch_problem="x" * 5000)), "host.torch_problem"),
        (a_request(changed(torch_version="x" * 5000)), "host.torch_version"),
        (a_request(changed(version="x" * 5000)), "host.version"),
        (a_request(changed(address="x" * 5000)), "host.address"),
        (a_request(with_devices(*[Device(id="cuda:0")] * 65)), "host.devices"),
        (a_request(with_devices(Device())), "host.devices[0].id"),
        (a_request(with_devices(Device(id="x" * 64))), "host.devices[0].id"),
        (a_request(with_devices(Device(id="cuda:0", display_name="x" * 5000))), "host.devices[0].display_name"),
        (a_request(with_devices(Device(id="cuda:0", memory_mib=-1))), "host.devices[0].memory_mib"),
        (a_request(with_recipes(*[RecipeReport(kind="a")] * 257)), "host.recipes"),
        (a_request(with_recipes(RecipeReport(kind="A B"))), "host.recipes[1].kind"),
        (a_request(with_recipes(RecipeReport(kind="a", problem="x" * 5000))), "host.recipes[1].problem"),
        (a_request(with_recipes(*[RecipeReport(kind="a", problem="x" * 4096)] * 65)), "host"),
        (a_request(with_labels(**{f"l{at}": "" for at in range(65)})), "host.labels"),
        (a_request(with_labels(long="x" * 64)), "host.labels['long']"),
        (a_request(sequence=0), "sequence"),
        (a_request(None, AttemptReport(job="nonsense", attempt=1)), "attempts[0].job"),
        (a_request(None, AttemptReport(job=JOB, attempt=0)), "attempts[0].attempt"),
        (a_request(None, AttemptReport(job=JOB, attempt=1, step=-1)), "attempts[0].step"),
        (a_request(None, with_fields(AttemptReport(job=JOB, attempt=1), {"outcome": 99})), "attempts[0].outcome"),
        (
            a_request(None, AttemptReport(job=JOB, attempt=1, failure=with_fields(Failure(), {"failure_class": 99}))),
            "attempts[0].failure.failure_class",
        ),
        (a_request(None, *[AttemptReport(job=JOB, attempt=1)] * 2), "attempts[0]"),
        (a_request(None, *[AttemptReport(job=JOB, attempt=at + 1) for at in range(REPORTS_MAX + 1)]), "attempts"),
    ],
)
def test_an_impossible_state_is_refused_with_its_field(request_: SynchronizeRequest, field: str) -> None:
    with pytest.raises(InvalidHostState) as caught:
        read_word(request_)

    first = caught.value.violations[0]
    assert (first.field, first.reason) == (field, "HOST_STATE")
    assert first.allowed, "a refusal names the bounds"
    assert field in caught.value.message


def test_the_violations_are_bounded() -> None:
    with pytest.raises(InvalidHostState) as caught:
        read_word(a_request(with_devices(*[Device(id="", memory_mib=-1)] * 64)))

    assert len(caught.value.violations) == VIOLATIONS_MAX


def test_input_is_echoed_escaped_and_cut() -> None:
    with pytest.raises(InvalidHostState) as caught:
        read_word(a_request(changed(name="hosts/\x1b[31m" + "x" * 500)))

    assert "\x1b" not in caught.value.message
    assert len(caught.value.message) < 200
