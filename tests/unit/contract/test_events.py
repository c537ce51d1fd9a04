"""CloudEvents derived from records."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from headway.contract.cloud_events import OutwardEvent
from headway.contract.events import (
    host_event,
    job_event,
    model_change_event,
    model_registered_event,
    progress_event,
    transition_number,
)
from headway.contract.host_facts import HostFacts
from headway.contract.kinds import kind_of
from headway.contract.times import timestamp
from headway.contract.transitions import (
    Submission,
    claim,
    commit_checkpoint,
    commit_result,
    confirm_cancelled,
    fail_attempt,
    request_cancel,
    submit,
)
from headway.runtime.redaction import Redactor
from headway.v1.hosts_pb2 import Host
from headway.v1.job_specs_pb2 import EXECUTION_MODE_LOCAL, JobSpec, TabularDistillSpec, TabularTrainSpec
from headway.v1.jobs_pb2 import (
    ATTEMPT_PHASE_TRAINING,
    FAILURE_CLASS_USER_INPUT,
    Admission,
    Bundle,
    Checkpoint,
    Failure,
    Job,
    JobResult,
    Progress,
    ResultSummary,
)
from headway.v1.models_pb2 import ModelVersion
from headway.v1.records_pb2 import JobRecord

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
JOB_ID = "j" + "a" * 25
HOST = HostFacts("hosts/a", EXECUTION_MODE_LOCAL, 1, 2, 1024, (), frozenset({"tabular_train"}), True, False)


def a_running(spec: JobSpec | None = None) -> JobRecord:
    spec = spec or JobSpec(tabular_train=TabularTrainSpec(target_column="y", epochs=50))
    record = submit(
        Submission(
            name=f"projects/p/jobs/{JOB_ID}", spec=spec, kind=kind_of(spec), user_id="ada", admission=Admission()
        ),
        now=NOW,
    )
    return claim(record, host=HOST, mode=EXECUTION_MODE_LOCAL, fallback_reason="", now=NOW)


def events_of(job: Job) -> list[OutwardEvent]:
    return [event for transition in job.transitions if (event := job_event(job, transition)) is not None]


def test_each_transition_becomes_an_event_with_its_number_in_the_id() -> None:
    """P25: stable ids and a per-job sequence."""
    result = JobResult(bundle=Bundle(digest="sha256:x"), attempt=1, summary=ResultSummary(metrics={"train_loss": 0.5}))
    record = commit_result(a_running(), host="hosts/a", result=result, now=NOW)
    events = events_of(record.job)
    assert [event.subject.split(".")[2] for event in events] == ["queued", "started", "evaluated", "completed"]
    assert [event.message_id for event in events] == [f"{JOB_ID}:{n}" for n in range(1, 5)]
    assert [transition_number(event.message_id) for event in events] == [1, 2, 3, 4]
    bodies = [json.loads(event.body) for event in events]
    assert [body["data"]["sequence"] for body in bodies] == [1, 2, 3, 4]
    assert bodies[-1]["data"]["loss"] == 0.5


def test_an_event_is_a_cloud_event_with_the_common_data() -> None:
    body = json.loads(events_of(a_running().job)[1].body)
    assert {
        key: body[key] for key in ("specversion", "id", "source", "type", "subject", "time", "datacontenttype")
    } == {
        "specversion": "1.0",
        "id": f"{JOB_ID}:2",
        "source": "/headway",
        "type": "trainer.train.started.v1",
        "subject": f"projects/p/jobs/{JOB_ID}",
        "time": "2026-11-01T12:00:00.000Z",
        "datacontenttype": "application/json",
    }
    data = body["data"]
    assert (data["request_id"], data["run_id"], data["user_id"], data["project"]) == (JOB_ID, JOB_ID, "ada", "p")
    assert (data["attempt"], data["host"], data["mode"], data["device"]) == (1, "a", "local", "cpu")
    assert (data["model_family"], data["model_size"], data["total_epochs"]) == ("mlp_dense", "2x128", 50)


def test_a_distillation_that_starts_tells_of_its_training_but_not_the_size_that_its_teacher_decides() -> None:
    spec = JobSpec(tabular_distill=TabularDistillSpec(teacher_model_id="big", training=TabularTrainSpec(batch_size=8)))
    data = json.loads(events_of(a_running(spec).job)[1].body)["data"]
    assert (data["model_family"], data["total_epochs"], data["batch_size"]) == ("mlp_dense", 60, 8)
    assert not data.get("model_size")


def test_each_event_names_the_one_before_it() -> None:
    """P25: a gap that is one can be told from a change that nobody is told of."""
    record = request_cancel(a_running(), message="", now=NOW)
    assert record is not None
    told = events_of(confirm_cancelled(record, attempt=1, now=NOW).job)
    places = [(data["previous_sequence"], data["sequence"]) for data in (json.loads(one.body)["data"] for one in told)]
    assert places == [(0, 1), (1, 2), (2, 4)]


def test_the_event_before_the_oldest_kept_transition_is_as_good_as_known() -> None:
    record = a_running()
    del record.job.transitions[0]
    first = json.loads(events_of(record.job)[0].body)["data"]
    assert first["sequence"] == 2
    assert first["previous_sequence"] == 1


def test_the_event_before_is_the_one_that_the_publisher_has_published() -> None:
    """P25: of checkpoints that were let go of, some are out and some are not; the history cannot know."""
    record = a_running()
    for _ in range(2):
        record = commit_checkpoint(record, host="hosts/a", checkpoint=Checkpoint(attempt=1), now=NOW)
    event = job_event(record.job, record.job.transitions[-1], previous=2)
    assert event is not None
    assert json.loads(event.body)["data"]["previous_sequence"] == 2


def test_names_and_errors_are_cleaned() -> None:
    """F-5."""
    running = a_running()
    running.job.spec.display_name = "/" + "home/u/corpus/x.txt"
    failure = Failure(failure_class=FAILURE_CLASS_USER_INPUT, reason="R", message="key hw_live_0123456789abcdef")
    record = fail_attempt(running, attempt=1, failure=failure, now=NOW)
    told = [job_event(record.job, transition, Redactor().clean) for transition in record.job.transitions]
    data = [json.loads(event.body)["data"] for event in told if event is not None]
    assert data[0]["display_name"] == "<path>"
    assert data[-1]["message"] == "key hw_<redacted>"


def test_another_version_in_use_is_told() -> None:
    version = ModelVersion(name=f"projects/p/models/m/versions/{JOB_ID}", number=2)
    event = model_change_event(version, "", event="promoted", sequence=1, user_id="ada", now=NOW)
    assert (event.subject, event.message_id) == ("trainer.model.promoted.v1.p.m", "p/m:1:promoted")
    assert json.loads(event.body)["data"]["model_version"] == version.name


def test_a_host_that_comes_back_is_told_anew() -> None:
    """The same boot may be lost and join again; the server drops a second event of one id."""
    host = Host(name="hosts/a", boot_id="b", join_time=timestamp(NOW))
    first = host_event("joined", host, "", now=NOW)
    host.join_time.CopyFrom(timestamp(NOW + timedelta(minutes=5)))
    assert host_event("joined", host, "", now=NOW).message_id != first.message_id


def test_a_wish_to_cancel_is_internal_and_the_cancellation_is_told() -> None:
    record = request_cancel(a_running(), message="", now=NOW)
    assert record is not None
    assert job_event(record.job, record.job.transitions[-1]) is None


def test_a_failure_says_who_is_at_fault() -> None:
    failure = Failure(failure_class=FAILURE_CLASS_USER_INPUT, reason="DEGENERATE_TARGET", message="one class only")
    record = fail_attempt(a_running(), attempt=1, failure=failure, now=NOW)
    data = json.loads(events_of(record.job)[-1].body)["data"]
    assert (data["error_kind"], data["failure_class"], data["reason"]) == ("user", "USER_INPUT", "DEGENERATE_TARGET")


def test_a_missed_score_is_told_as_a_failure_and_not_as_a_completion() -> None:
    running = a_running()
    running.job.spec.eval_policy.min_scores["accuracy"] = 0.9
    record = commit_result(running, host="hosts/a", result=JobResult(attempt=1), now=NOW)
    event = events_of(record.job)[-1]
    assert event.subject.startswith("trainer.train.failed.v1.")
    data = json.loads(event.body)["data"]
    assert (data["status"], data["error_kind"], data["reason"]) == ("eval_failed", "user", "MIN_SCORE_MISSED")


def test_progress_that_is_not_known_is_still_json() -> None:
    progress = Progress(attempt=1, phase=ATTEMPT_PHASE_TRAINING, loss=float("nan"), measure_time=timestamp(NOW))
    event = progress_event(a_running().job, "hosts/a", progress)
    body = json.loads(event.body, parse_constant=lambda text: pytest.fail(f"{text} is no JSON"))
    assert body["data"]["loss"] == "NaN"
    assert body["data"]["phase"] == "training"
    assert event.message_id == ""


def test_a_model_and_a_host_have_events_too() -> None:
    version = ModelVersion(name=f"projects/p/models/m/versions/{JOB_ID}", number=2, create_time=timestamp(NOW))
    event = model_registered_event(version)
    assert event.subject == "trainer.model.registered.v1.p.m"
    assert json.loads(event.body)["data"]["run_id"] == JOB_ID
    joined = host_event("joined", Host(name="hosts/a", boot_id="b"), "hello", now=NOW)
    assert (joined.subject, joined.message_id) == ("trainer.host.joined.v1.a", "a:b:0:joined")


def test_a_foreign_message_id_names_no_transition() -> None:
    assert transition_number("a:b:registered") == 0
