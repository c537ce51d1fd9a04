"""The words for each event."""

from datetime import UTC, datetime, timedelta

import pytest

from headway.contract.events import host_event, model_registered_event
from headway.contract.subjects import EVENTS
from headway.contract.times import timestamp
from headway.v1 import events_pb2 as events
from headway.v1.events_pb2 import ModelPromotedEvent, ModelRolledBackEvent
from headway.v1.hosts_pb2 import Host
from headway.v1.jobs_pb2 import ResultSummary
from headway.v1.models_pb2 import ModelVersion
from notifier import rules
from notifier.decode import decode
from notifier.happening import JOB_DATA, MODEL_DATA, EventData, Happening
from notifier.messages import Section
from notifier.rules import RULES, section_of
from tests.unit.notifier.doubles import a_cancelled_job, a_failed_job, a_finished_job, happenings_of

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
JOB_ID = "j" + "a" * 25


def sections(happenings: list[Happening]) -> list[Section]:
    return [section_of(happening, now=NOW) for happening in happenings]


def happening_of(event: str, data: EventData) -> Happening:
    return Happening(event=event, event_id="x", occur_time=NOW, data=data, project="demo", job_id=JOB_ID)


def facts(section: Section) -> dict[str, str]:
    return {fact.name: fact.value for fact in section.facts}


@pytest.mark.parametrize(
    ("event", "colour"),
    [("started", 0x5865F2), ("completed", 0x57F287), ("failed", 0xED4245), ("cancelled", 0xFAA61A)],
)
def test_colours_and_titles_are_those_people_know(event: str, colour: int) -> None:
    rule = RULES[f"trainer.train.{event}"]
    assert (rule.title, rule.colour) == (f"Training {event}", colour)


def test_every_event_that_can_be_read_has_words() -> None:
    readable = {
        *JOB_DATA,
        *MODEL_DATA,
        *(f"trainer.host.{name}" for name in ("joined", "lost", "drained")),
    }
    assert set(RULES) == readable


def test_every_event_of_the_stream_is_read() -> None:
    assert {pattern.partition(".v1")[0] for pattern in EVENTS.subjects} == set(RULES)


@pytest.mark.parametrize(
    ("event", "data", "title"),
    [
        ("promoted", ModelPromotedEvent, "Model promoted"),
        ("rolled_back", ModelRolledBackEvent, "Model rolled back"),
    ],
)
def test_a_model_is_told_by_its_version(
    event: str, data: type[ModelPromotedEvent | ModelRolledBackEvent], title: str
) -> None:
    versions = "projects/demo/models/iris/versions"
    full = data(model_version=f"{versions}/b", number=2, user_id="ada", previous_model_version=f"{versions}/a")
    happening = Happening(event=f"trainer.model.{event}", event_id="x", occur_time=NOW, data=full, project="demo")
    section = section_of(happening, now=NOW)
    assert (section.title, section.about) == (title, f"{versions}/b")
    assert facts(section) == {"number": "2", "by": "ada", "instead of": f"{versions}/a"}


def test_what_came_before_is_told_in_a_word() -> None:
    queued, started, evaluated, completed = happenings_of(a_finished_job(NOW))
    section = section_of(completed, [queued, started, started, evaluated], now=NOW)
    assert section.text.endswith("Before that: queued, started 2 times, evaluated.")
    assert section.event_ids == (*(h.event_id for h in (queued, started, started, evaluated)), completed.event_id)
    assert (section.is_terminal, section.project, section.job_id) == (True, "demo", completed.job_id)


def test_a_job_is_told_from_the_queue_to_the_result() -> None:
    queued, started, evaluated, completed = sections(happenings_of(a_finished_job(NOW, job_id=JOB_ID)))
    assert {section.about for section in (queued, started, evaluated, completed)} == {f"projects/demo/jobs/{JOB_ID}"}
    assert facts(queued) == {"name": "iris", "kind": "tabular_train", "for": "ada"}
    assert facts(started) == {
        "host": "a",
        "mode": "local",
        "device": "cpu",
        "attempt": "1",
        "model": "mlp_dense 2x128",
        "epochs": "50",
        "batch size": "64",
        "learning rate": "0.001",
        "CPU cores": "2",
        "memory": "1.0 GiB",
    }
    assert facts(evaluated) == {"accuracy": "0.96", "train_loss": "0.25"}
    assert facts(completed) == {
        "accuracy": "0.96",
        "loss": "0.25",
        "result": "sha256:" + "0" * 64,
        "took": "0.0 s",
    }
    assert [section.text for section in (queued, started, evaluated, completed)] == [""] * 4


def test_a_failure_says_its_class_what_was_tried_what_is_kept_and_how_to_go_on() -> None:
    failed = sections(happenings_of(a_failed_job(NOW)))[-1]
    assert facts(failed) == {"class": "FATAL", "reason": "DISK_FULL", "host": "a"}
    assert failed.text == (
        "the disk is full. It was tried once. Trying the same again will not help before the cause is found. "
        f"Spec, checkpoints and logs are kept: headway jobs logs {failed.about}"
    )


@pytest.mark.parametrize(
    ("failure_class", "advice"),
    [("USER_INPUT", "correct it and submit it again"), ("TRANSIENT", "submit it again"), ("FATAL", "will not help")],
)
def test_each_class_of_failure_has_its_advice(failure_class: str, advice: str) -> None:
    data = events.JobFailedEvent(run_id=JOB_ID, attempt=3, failure_class=failure_class)
    text = section_of(happening_of("trainer.train.failed", data), now=NOW).text
    assert advice in text
    assert "It was tried 3 times." in text


def test_a_cancellation_repeats_the_callers_words() -> None:
    assert sections(happenings_of(a_cancelled_job(NOW, message="wrong data")))[-1].text == "wrong data"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (events.JobPausedEvent(attempt=1, step=120), "Nothing up to this step is lost."),
        (events.JobPausedEvent(attempt=1), "It has no checkpoint: when it is resumed, it begins again."),
        (events.JobPausedEvent(), "It had not begun."),
    ],
)
def test_a_pause_promises_only_what_is_kept(data: events.JobPausedEvent, text: str) -> None:
    assert section_of(happening_of("trainer.train.paused", data), now=NOW).text == text


def test_a_fallback_is_told() -> None:
    data = events.JobStartedEvent(mode="local", fallback_reason="no host is up")
    section = section_of(happening_of("trainer.train.started", data), now=NOW)
    assert section.text == "It runs in another mode than asked for: no host is up."


def test_what_is_not_known_is_not_told() -> None:
    nothing: dict[str, EventData] = {event: data_type() for event, data_type in JOB_DATA.items()}
    for event, data in nothing.items():
        for fact in section_of(happening_of(event, data), now=NOW).facts:
            assert "nan" not in fact.value.lower(), (event, fact)
            assert fact.value not in {"", "-1"}, (event, fact)
    completed = events.JobCompletedEvent(loss=float("nan"), headline_metric="accuracy", headline_value=float("inf"))
    assert facts(section_of(happening_of("trainer.train.completed", completed), now=NOW)) == {"took": "0.0 s"}


def test_an_old_event_says_how_old_it_is() -> None:
    completed = happenings_of(a_finished_job(NOW))[-1]
    fresh = section_of(completed, now=NOW + rules.LATE_AFTER)
    old = section_of(completed, now=NOW + timedelta(minutes=63))
    assert (fresh.text, old.text) == ("", "It happened 1 h 03 min ago.")


def test_only_the_first_metrics_are_told() -> None:
    data = events.JobEvaluatedEvent(metrics={f"m{number}": number / 2 for number in range(9)})
    section = section_of(happening_of("trainer.train.evaluated", data), now=NOW)
    assert list(facts(section)) == ["m0", "m1", "m2", "m3", "m4", "m5"]
    assert section.text == "3 more figures are in the result."


def test_models_and_hosts_are_told_too() -> None:
    version = ModelVersion(
        name=f"projects/p/models/iris/versions/{JOB_ID}",
        number=3,
        create_time=timestamp(NOW),
        summary=ResultSummary(headline_metric="accuracy", headline_value=0.5),
    )
    registered = model_registered_event(version)
    section = section_of(decode(registered.subject, registered.body), now=NOW)
    assert (section.title, section.about) == ("Model registered", version.name)
    assert facts(section) == {"number": "3", "accuracy": "0.5", "job": JOB_ID}
    lost = host_event("lost", Host(name="hosts/a", boot_id="b"), "silent for 15 s", now=NOW)
    section = section_of(decode(lost.subject, lost.body), now=NOW)
    assert (section.title, section.about, section.text) == ("Host lost", "hosts/a", "silent for 15 s")


def test_a_rule_refuses_the_data_of_another_event() -> None:
    with pytest.raises(TypeError):
        section_of(happening_of("trainer.train.failed", events.JobQueuedEvent()), now=NOW)
