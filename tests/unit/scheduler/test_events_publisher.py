import json
from collections.abc import Mapping
from datetime import timedelta
from typing import TypedDict, Unpack

import pytest

from headway.contract import transitions
from headway.contract.cloud_events import as_written
from headway.contract.errors import NotLeader, StoreUnavailable
from headway.contract.limits import TRANSITIONS_KEPT
from headway.contract.subjects import EVENTS, JOBS
from headway.runtime.bus_errors import MessageTooLarge
from headway.runtime.feeds import Message, PoisonMessage
from headway.runtime.redaction import Redactor
from headway.testing.builders import A_MOMENT, a_claimed_record, a_record, a_spec, an_infer_spec
from headway.v1.jobs_pb2 import FAILURE_CLASS_USER_INPUT, Checkpoint, Failure
from headway.v1.records_pb2 import JobRecord
from scheduler import events_publisher
from scheduler.events_publisher import EventsPublisher, due_events
from tests.unit.scheduler.stage import Stage, a_stage, running


class Rest(TypedDict):
    """How an event is published."""

    message_id: str
    expect_last: int
    expect_subject: str
    headers: Mapping[str, str]


def a_publisher(stage: Stage) -> EventsPublisher:
    return EventsPublisher(stage.bus, stage.clock, clean=Redactor().clean, is_leading=lambda: stage.is_leading)


def numbers(record: JobRecord, cursor: int = 0, days: int = 0) -> list[int]:
    return [number for number, _ in due_events(record, cursor, now=A_MOMENT + timedelta(days=days), clean=as_written)]


def cancelled(record: JobRecord) -> JobRecord:
    """Submitted, claimed, cancel requested (which nobody outside hears), cancelled."""
    cancelling = transitions.request_cancel(record, message="", now=A_MOMENT)
    assert cancelling is not None
    return transitions.confirm_cancelled(cancelling, attempt=1, now=A_MOMENT)


def test_each_transition_that_somebody_hears_is_due_once_in_order() -> None:
    record = cancelled(a_claimed_record())

    assert numbers(record) == [1, 2, 4]
    assert numbers(record, cursor=1) == [2, 4]
    assert numbers(record, cursor=4) == []


def test_what_the_stream_has_let_go_of_is_not_published_again() -> None:
    """A job that has waited for longer than events are kept: none of it is in the stream, and all of it was."""
    assert numbers(cancelled(a_claimed_record()), days=31) == []
    assert numbers(cancelled(a_claimed_record()), cursor=1, days=31) == [2, 4]


def test_a_transition_that_nobody_can_tell_is_left_out() -> None:
    record = cancelled(a_claimed_record())
    record.job.transitions[1].event = "abducted"

    assert numbers(record) == [1, 4]


async def published(stage: Stage) -> list[tuple[str, str]]:
    return [(message.subject.split(".")[2], message.headers["Nats-Msg-Id"]) for message in await stage.messages(EVENTS)]


async def test_who_leads_no_longer_publishes_nothing() -> None:
    """The record comes again, to whoever leads."""
    stage = await a_stage()
    publisher = a_publisher(stage)
    await stage.store(cancelled(a_claimed_record()))
    (message,) = await stage.messages(JOBS)
    stage.is_leading = False
    with pytest.raises(NotLeader):
        await publisher.publish_due(message)
    assert await published(stage) == []

    stage.is_leading = True
    await publisher.publish_due(message)
    assert [what for what, _ in await published(stage)] == ["queued", "started", "cancelled"]


async def hand_over(stage: Stage, publisher: EventsPublisher, record: JobRecord) -> str:
    """What the consumer does with a record as it now is."""
    job_id = record.job.name.rpartition("/")[2]
    await publisher.publish_due(a_message(job_id, record.SerializeToString(), stage))
    return job_id


def a_message(key: str, data: bytes, stage: Stage, *, is_deleted: bool = False) -> Message:
    return Message(
        subject=JOBS.prefix + key,
        key=key,
        data=data,
        sequence=1,
        time=stage.clock.now(),
        headers={},
        is_deleted=is_deleted,
    )


async def test_what_another_process_has_published_meanwhile_is_not_published_again() -> None:
    """P25, F15: a scheduler was frozen for longer than the server knows message ids, and another stood in for it."""
    stage = await a_stage()
    frozen, stand_in = a_publisher(stage), a_publisher(stage)
    waiting = a_record()
    running = a_claimed_record(waiting)
    await hand_over(stage, frozen, waiting)
    await hand_over(stage, stand_in, running)

    await stage.clock.advance(2 * EVENTS.duplicate_window.total_seconds())
    await hand_over(stage, frozen, cancelled(running))

    assert [name for name, _ in await published(stage)] == ["queued", "started", "cancelled"]


def saved(record: JobRecord, count: int) -> JobRecord:
    for step in range(record.job.checkpoint.step + 1, record.job.checkpoint.step + 1 + count):
        checkpoint = Checkpoint(attempt=1, step=step)
        record = transitions.commit_checkpoint(record, host="hosts/anton", checkpoint=checkpoint, now=A_MOMENT)
    return record


async def chain(stage: Stage) -> list[tuple[int, int]]:
    data = [json.loads(message.data)["data"] for message in await stage.messages(EVENTS)]
    return [(one["previous_sequence"], one["sequence"]) for one in data]


async def test_an_hour_without_a_publisher_loses_no_event_but_replaced_checkpoints_p25() -> None:
    stage = await a_stage()
    record = saved(a_claimed_record(), 3 * TRANSITIONS_KEPT)
    publisher = a_publisher(stage)
    await hand_over(stage, publisher, record)
    record = saved(record, 2 * TRANSITIONS_KEPT)
    await hand_over(stage, publisher, record)
    await hand_over(stage, publisher, cancelled(record))

    events = [event for event, _ in await published(stage)]
    assert (events[:2], events[-1]) == (["queued", "started"], "cancelled")
    assert set(events[2:-1]) == {"checkpoint"}
    links = await chain(stage)
    assert [before for before, _ in links] == [0, *(number for _, number in links[:-1])], "each names the one before it"


async def test_an_older_record_that_comes_late_tells_nothing_behind_a_newer_p25() -> None:
    """F15: a publisher was frozen with a record that a newer one, with fewer checkpoints, has overtaken meanwhile."""
    stage = await a_stage()
    frozen, stand_in = a_publisher(stage), a_publisher(stage)
    early = a_claimed_record()
    await hand_over(stage, frozen, early)
    older = saved(early, 3)
    await hand_over(stage, stand_in, saved(older, 2 * TRANSITIONS_KEPT))

    await hand_over(stage, frozen, older)

    links = await chain(stage)
    assert [number for _, number in links] == sorted({number for _, number in links})
    assert [before for before, _ in links] == [0, *(number for _, number in links[:-1])]


async def test_a_stream_that_let_go_of_a_jobs_events_is_gone_on_with() -> None:
    stage = await a_stage()
    publisher = a_publisher(stage)
    running = a_claimed_record()
    await hand_over(stage, publisher, running)
    await stage.clock.advance(EVENTS.max_age.total_seconds() + 1)
    assert await published(stage) == []

    await hand_over(stage, publisher, cancelled(running))

    assert await chain(stage) == [(2, 4)]


async def test_a_job_is_told_from_its_records() -> None:
    stage = await a_stage()
    publisher = a_publisher(stage)
    record = a_record()
    job_id = await hand_over(stage, publisher, record)
    claimed = a_claimed_record(record)
    await hand_over(stage, publisher, claimed)
    await hand_over(stage, publisher, claimed)
    await hand_over(stage, publisher, cancelled(claimed))

    assert await published(stage) == [
        ("queued", f"{job_id}:1"),
        ("started", f"{job_id}:2"),
        ("cancelled", f"{job_id}:4"),
    ]


async def test_the_body_is_a_cloud_event_of_the_same_id() -> None:
    stage = await a_stage()
    job_id = await hand_over(stage, a_publisher(stage), a_record())

    (message,) = await stage.messages(EVENTS)
    event = json.loads(message.data)
    assert (event["id"], event["data"]["sequence"], event["data"]["run_id"]) == (f"{job_id}:1", 1, job_id)


async def test_nothing_is_published_twice_long_after_a_restart() -> None:
    """The server remembers message ids for minutes; the stream itself remembers for as long as it keeps events."""
    stage = await a_stage()
    record = cancelled(a_claimed_record())
    await hand_over(stage, a_publisher(stage), record)
    await stage.clock.advance(EVENTS.duplicate_window.total_seconds() * 3)

    await hand_over(stage, a_publisher(stage), record)

    assert len(await published(stage)) == 3


async def test_a_publisher_that_died_halfway_goes_on_where_it_was() -> None:
    stage = await a_stage()
    record = cancelled(a_claimed_record())
    first = next(event for _, event in due_events(record, 0, now=A_MOMENT, clean=as_written))
    await stage.bus.publish(first.subject, first.body, message_id=first.message_id)

    await hand_over(stage, a_publisher(stage), record)

    assert [event for event, _ in await published(stage)] == ["queued", "started", "cancelled"]


async def test_an_error_halfway_makes_it_look_again_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = await a_stage()
    publisher = a_publisher(stage)
    record = a_record()
    await hand_over(stage, publisher, record)
    publish = stage.bus.publish

    async def fail_at_the_last(subject: str, data: bytes, **rest: Unpack[Rest]) -> object:
        if ".cancelled." in subject:
            raise StoreUnavailable("away")
        return await publish(subject, data, **rest)

    with monkeypatch.context() as patch:
        patch.setattr(stage.bus, "publish", fail_at_the_last)
        with pytest.raises(StoreUnavailable):
            await hand_over(stage, publisher, cancelled(a_claimed_record(record)))
    await stage.clock.advance(EVENTS.duplicate_window.total_seconds() * 2)

    await hand_over(stage, publisher, cancelled(a_claimed_record(record)))

    assert [event for event, _ in await published(stage)] == ["queued", "started", "cancelled"]


async def test_no_secret_and_no_path_leaves_in_an_event() -> None:
    """F-5, P30: planted in a name, in a caller's words and in an error."""
    stage = await a_stage()
    path = "/" + "home/u/corpus/x.txt"
    planted = f"key hw_live_0123456789abcdef in {path}"
    record = a_claimed_record(a_record(a_spec(display_name=planted)))
    failure = Failure(failure_class=FAILURE_CLASS_USER_INPUT, reason="BAD_ROW", message=planted)
    await hand_over(
        stage, a_publisher(stage), transitions.fail_attempt(record, attempt=1, failure=failure, now=A_MOMENT)
    )
    cancelling = transitions.request_cancel(a_record(), message=planted, now=A_MOMENT)
    assert cancelling is not None
    await hand_over(stage, a_publisher(stage), cancelling)

    bodies = [message.data for message in await stage.messages(EVENTS)]
    assert len(bodies) == 5
    assert [body for body in bodies if b"hw_live_" in body or path.encode() in body] == []
    assert sum(b"key hw_<redacted> in <path>" in body for body in bodies) == 3


async def test_garbage_is_poison() -> None:
    stage = await a_stage()
    with pytest.raises(PoisonMessage):
        await a_publisher(stage).publish_due(a_message("garbage", b"\xff", stage))


async def test_a_deletion_tells_nothing() -> None:
    stage = await a_stage()
    await a_publisher(stage).publish_due(a_message("gone", b"", stage, is_deleted=True))

    assert await published(stage) == []


async def test_an_event_that_is_too_large_holds_up_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = await a_stage()
    publish = stage.bus.publish

    async def refuse_the_first(subject: str, data: bytes, **rest: Unpack[Rest]) -> object:
        if ".queued." in subject:
            raise MessageTooLarge("too large")
        return await publish(subject, data, **rest)

    monkeypatch.setattr(stage.bus, "publish", refuse_the_first)
    await hand_over(stage, a_publisher(stage), a_claimed_record())

    assert [event for event, _ in await published(stage)] == ["started"]


async def test_what_it_remembers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events_publisher, "_CURSORS_KEPT", 1)
    stage = await a_stage()
    publisher = a_publisher(stage)
    first, second = a_record(), a_record()
    for record in (first, second, first, second):
        await hand_over(stage, publisher, record)

    assert len(await published(stage)) == 2


async def test_the_loop_publishes_what_is_stored_and_sets_garbage_aside() -> None:
    stage = await a_stage()
    async with running(a_publisher(stage).run):
        await stage.bus.publish(f"{JOBS.prefix}garbage", b"\xff")
        await stage.store(a_record())
        await stage.clock.advance(1.0)

        assert [event for event, _ in await published(stage)] == ["queued"]


async def test_nobody_is_told_of_a_prediction() -> None:
    stage = await a_stage()
    async with running(a_publisher(stage).run):
        await stage.store(a_claimed_record(a_record(an_infer_spec())))
        told = await stage.store(a_claimed_record())
        await stage.clock.advance(0.1)

        events = await stage.messages(EVENTS)
        assert {event.subject.rpartition(".")[2] for event in events} == {told}
