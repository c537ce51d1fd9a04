"""What was told is kept, and only one notifier keeps it."""

import pytest

from headway.contract.subjects import EVENTS, NOTIFIER
from headway.runtime.bus import Bus
from headway.runtime.clock import Clock, SystemClock
from headway.runtime.records import RecordError
from headway.testing.clock import ManualClock
from headway.v1.records_pb2 import NotifierRecord
from notifier.ledger import NEW_SINK_LOOKS_BACK, Ledger, open_ledger
from notifier.places import Order, Place


async def a_ledger(bus: Bus, sink: str = "test", clock: Clock = SystemClock()) -> Ledger:  # noqa: B008 - stateless
    return await open_ledger(bus, bus.records(NOTIFIER, NotifierRecord), sink, clock)


async def test_a_new_ledger_begins_at_the_beginning(bus: Bus) -> None:
    assert (await a_ledger(bus)).next_sequence == 1


async def test_what_was_settled_is_settled_in_the_next_life(bus: Bus) -> None:
    for number in range(4):
        await bus.publish("trainer.host.joined.v1.a", b"%d" % number)
    before = await a_ledger(bus)
    for sequence in (1, 2, 3, 4):
        before.settled.receive(sequence, now_seconds=0.0)
    assert before.places.judge("job", Place(4, 7)) is Order.NEXT
    await before.settle([1, 2, 4])
    after = await a_ledger(bus)
    assert after.next_sequence == 3
    assert [sequence in after.settled for sequence in (1, 2, 3, 4)] == [True, True, False, True]
    assert after.places.judge("job", Place(5, 6)) is Order.BACKWARDS


async def test_each_sink_has_a_ledger_of_its_own(bus: Bus) -> None:
    await bus.publish("trainer.host.joined.v1.a", b"")
    one, other = await a_ledger(bus, "one"), await a_ledger(bus, "other")
    await one.settle([1])
    await other.settle([])
    assert (await a_ledger(bus, "one")).next_sequence == 2
    assert (await a_ledger(bus, "other")).next_sequence == 1


async def test_a_sink_that_never_told_anything_begins_where_it_first_looked(bus: Bus, clock: ManualClock) -> None:
    began = (await a_ledger(bus, clock=clock)).begin_time
    assert began == clock.now() - NEW_SINK_LOOKS_BACK
    await clock.advance(86_400.0)
    assert (await a_ledger(bus, clock=clock)).begin_time == began


async def test_what_is_being_sent_is_on_record_until_it_is_settled(bus: Bus) -> None:
    """F49."""
    for number in range(3):
        await bus.publish("trainer.host.joined.v1.a", b"%d" % number)
    ledger = await a_ledger(bus)
    for sequence in (1, 2, 3):
        ledger.settled.receive(sequence, now_seconds=0.0)
    await ledger.intend([1, 2])
    await ledger.settle([3])
    assert (await a_ledger(bus)).sending == {1, 2}
    ledger = await a_ledger(bus)
    await ledger.settle([1, 2])
    assert (await a_ledger(bus)).sending == frozenset()


async def test_of_two_notifiers_one_must_end(bus: Bus) -> None:
    """Or people are told everything twice."""
    await bus.publish("trainer.host.joined.v1.a", b"")
    first, second = await a_ledger(bus), await a_ledger(bus)
    await first.settle([1])
    with pytest.raises(RecordError):
        await second.settle([1])
    third = await a_ledger(bus)
    await third.settle([2])
    with pytest.raises(RecordError):
        await first.settle([2])
    assert (await bus.stream_state(EVENTS)).last_sequence == 1
