from headway.cli.listen.event_names import all_types
from headway.cli.listen.following import SeenIds, kept_events
from headway.cli.listen.heard import HeardEvent
from headway.cli.listen.wanted import wanted_of
from headway.contract.subjects import job_event_subject
from headway.testing.memory_bus import MemoryBus

JOB = "j" + "a" * 25


def event(event_id: str) -> HeardEvent:
    return HeardEvent("trainer.x", b"", event_id)


def test_ids_are_remembered_up_to_a_limit() -> None:
    seen = SeenIds(limit=2)
    for event_id in ("1", "2", "1", "3"):
        seen.add(event(event_id))
    assert [event_id in seen_ids(seen) for event_id in ("1", "2", "3")] == [True, False, True]


def seen_ids(seen: SeenIds) -> set[str]:
    return {event_id for event_id in ("1", "2", "3") if event(event_id) in seen}


def test_what_has_no_id_is_never_seen_before() -> None:
    seen = SeenIds()
    seen.add(event(""))
    assert event("") not in seen


async def test_what_is_kept_is_read_once_and_to_its_end(memory_bus: MemoryBus) -> None:
    subject = job_event_subject("queued", "p", JOB)
    for body in (b'{"id": "1"}', b'{"id": "2"}', b'{"id": "1"}', b"", b""):
        await memory_bus.publish(subject, body)
    await memory_bus.publish(job_event_subject("queued", "q", JOB), b'{"id": "3"}')
    found = await kept_events(memory_bus, wanted_of(all_types(), "p", ""))
    assert [one.event_id for one in found] == ["1", "2", "", ""]
    assert await kept_events(memory_bus, wanted_of(all_types(), "nobodys", "")) == []
