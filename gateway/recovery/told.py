"""How far the events of a job were told before its store was lost. Pure.

The stream of events is lost with the store. Were its place not kept elsewhere, every event of the last thirty days
would be published again when the records are back.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from headway.contract.times import moment
from headway.v1.records_pb2 import JobRecord

CLOCKS_DIFFER = timedelta(seconds=10)
"""Transitions are timed by whoever made them, on several machines: what is nearer than this to the last known event is
told again, under the same id."""

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Told:
    """Which events are out.

    Attributes:
        sequence: revisions of the jobs bucket up to this one have all their events out.
        until: transitions before this moment do too, whichever revision they are in.
    """

    sequence: int
    until: datetime


def told_until(sequence: int, jobs: Iterable[tuple[int, JobRecord]]) -> Told:
    """What is known from the place of the events' consumer, and the jobs with their revisions."""
    times = (moment(record.job.update_time) for revision, record in jobs if 0 < revision <= sequence)
    return Told(sequence, max(times, default=_NEVER + CLOCKS_DIFFER) - CLOCKS_DIFFER)


def last_told(record: JobRecord, revision: int, told: Told) -> int:
    """Number of the job's last transition whose event is known to be out."""
    is_all_out = 0 < revision <= told.sequence
    out = (one.number for one in record.job.transitions if is_all_out or moment(one.occur_time) < told.until)
    return max(record.last_told_transition, *out, 0)
