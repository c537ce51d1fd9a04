"""Events that were out before a loss are not told again, and no other is left out."""

from datetime import timedelta

from gateway.recovery.told import CLOCKS_DIFFER, last_told, told_until
from headway.contract.transitions import request_cancel
from headway.runtime.redaction import Redactor
from headway.v1.records_pb2 import JobRecord
from scheduler.events_publisher import due_events
from tests.unit.gateway.builders import NOW, a_record

LATER = NOW + timedelta(minutes=5)


def cancelled(record: JobRecord) -> JobRecord:
    changed = request_cancel(record, message="", now=LATER)
    assert changed is not None
    return changed


def test_a_revision_before_the_place_of_the_events_is_told_whole() -> None:
    record = cancelled(a_record())
    told = told_until(7, [(7, record)])
    assert last_told(record, 7, told) == record.job.transitions[-1].number


def test_of_a_later_revision_only_what_is_surely_older_is_told() -> None:
    other = a_record(now=LATER)
    record = cancelled(a_record())
    told = told_until(7, [(7, other), (8, record)])
    assert told.until == LATER - CLOCKS_DIFFER
    assert last_told(record, 8, told) == 1, "the submission was five minutes ago, the cancellation just now"


def test_nothing_is_told_where_nothing_is_known() -> None:
    record = a_record()
    assert last_told(record, 1, told_until(0, [(1, record)])) == 0


def test_it_never_goes_back_over_a_second_loss() -> None:
    record = a_record()
    record.last_told_transition = 1
    assert last_told(record, 0, told_until(0, [(0, record)])) == 1


def test_the_publisher_leaves_out_what_the_record_says() -> None:
    record = cancelled(a_record())
    numbers = [number for number, _ in due_events(record, 0, now=LATER, clean=Redactor().clean)]
    record.last_told_transition = numbers[0]
    assert [number for number, _ in due_events(record, 0, now=LATER, clean=Redactor().clean)] == numbers[1:]
