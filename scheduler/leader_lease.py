"""Who leads, as one process knows it: what it saw of the leader lease, and when, by its own monotonic clock. No I/O.

A lease is over when its revision was not seen to change for as long as it lasts. No wall clock takes part, neither the
store's nor anybody's: one that jumps makes no second leader. Whoever takes the lease names the revision that it saw, so
a renewal that was not seen in time wins. The leader trusts the lease a tenth less long than everybody else does, and
counts from before it asked: it has stopped before another may begin.
"""

import math
from dataclasses import dataclass
from datetime import timedelta

from headway.contract.times import duration
from headway.v1.records_pb2 import LeaseRecord

KEY = "scheduler"
TRUSTED_PART = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A process that may lead.

    Attributes:
        holder_id: of the folder that it works with, which no other process uses at the same time.
        boot_id: of the process.
        address: host:port under which others know it.
        lease_seconds: how long its lease lasts from each renewal.
    """

    holder_id: str
    boot_id: str
    address: str
    lease_seconds: float


@dataclass(frozen=True, slots=True)
class Sighting:
    """The lease as it was seen.

    Attributes:
        revision: what a compare-and-set must name; 0 when there is no record.
        record: empty when there is none.
        seen_at: when this revision was first seen, monotonic seconds.
        is_first: whether nothing was seen before it.
    """

    revision: int
    record: LeaseRecord
    seen_at: float
    is_first: bool = False


class LeaderLease:
    """The lease, and whether it is ours."""

    def __init__(self, me: Candidate) -> None:
        self.me = me
        self.sighting: Sighting | None = None
        self._held_until = -math.inf

    @property
    def held_until(self) -> float:
        """From when on it may be somebody else's, monotonic seconds; in the past when it is not ours."""
        return self._held_until

    @property
    def is_ours(self) -> bool:
        """Whether the newest record seen is of this process; it may be over all the same."""
        return self.sighting is not None and self.sighting.record.boot_id == self.me.boot_id

    def is_held(self, now: float) -> bool:
        """Whether it is ours, and nobody else can have it yet."""
        return now < self._held_until

    def see(self, revision: int, record: LeaseRecord, *, now: float) -> None:
        """The bucket holds this revision; an older one than known is no news.

        Args:
            revision: of the record; 0 for none.
            record: empty for none.
            now: monotonic seconds.
        """
        known = self.sighting
        if known is not None and 0 < revision <= known.revision:
            return
        self.sighting = Sighting(revision, record, now, is_first=known is None)
        if record.boot_id != self.me.boot_id:
            self._held_until = -math.inf

    def took(self, revision: int, record: LeaseRecord, *, asked_at: float) -> None:
        """Our write was acknowledged.

        Args:
            revision: that it got.
            record: as written.
            asked_at: when it was sent, monotonic seconds; the store has it from a later moment on.
        """
        known = self.sighting
        if known is not None and revision < known.revision:
            # Somebody took it while the acknowledgement was on its way.
            return
        self.sighting = Sighting(revision, record, asked_at)
        self._held_until = asked_at + TRUSTED_PART * self.me.lease_seconds

    def lose(self) -> None:
        """Let go of it: from now on we do not lead."""
        self._held_until = -math.inf

    def free_at(self) -> float:
        """When this process may take it, monotonic seconds; in the past when it may at once.

        At once: when nobody has it; when it is our own; and when at the start the process before us on the same folder
        had it, which is dead, since the folder is ours.
        """
        seen = self.sighting
        if seen is None or not seen.record.holder_id or seen.record.boot_id == self.me.boot_id:
            return -math.inf
        if seen.is_first and seen.record.holder_id == self.me.holder_id:
            return -math.inf
        return seen.seen_at + seen.record.duration.ToTimedelta().total_seconds()

    def next_record(self) -> LeaseRecord:
        """What takes or renews it."""
        before = self.sighting.record if self.sighting is not None else LeaseRecord()
        return LeaseRecord(
            holder_id=self.me.holder_id,
            boot_id=self.me.boot_id,
            address=self.me.address,
            reign=before.reign + (0 if self.is_ours else 1),
            duration=duration(timedelta(seconds=self.me.lease_seconds)),
        )

    def vacant_record(self) -> LeaseRecord:
        """What gives it back: free, and the leaders counted on."""
        return LeaseRecord(reign=self.sighting.record.reign if self.sighting is not None else 0)

    @property
    def leader_address(self) -> str:
        """Of the newest leader seen; empty when nobody leads or it names none."""
        return self.sighting.record.address if self.sighting is not None else ""
