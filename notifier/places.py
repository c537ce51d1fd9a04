"""What has been told already, and where each job stands. Pure; `ledger` keeps it.

Events are settled (told, or set aside) in nearly the order of the stream. `Settled` therefore is one number, up to
which everything is settled, and the few beyond it. It never guesses: an event that the server gave to a connection that
died comes again later than its neighbours, and must not count as settled meanwhile. A sequence that was skipped and
does not come within the limit was deleted from the stream.
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum


@dataclass(frozen=True, slots=True)
class _Gap:
    """Sequences that the server skipped."""

    first: int
    last: int
    since_seconds: float

    def without(self, sequence: int) -> list["_Gap"]:
        """What is left when one of them comes after all."""
        if not self.first <= sequence <= self.last:
            return [self]
        parts = (replace(self, last=sequence - 1), replace(self, first=sequence + 1))
        return [part for part in parts if part.first <= part.last]


class Settled:
    """Which sequences of the stream need nothing more."""

    def __init__(self, through: int = 0, ahead: Iterable[int] = (), *, gone_after_seconds: float = 120.0) -> None:
        """Go on from what was kept.

        Args:
            through: everything up to this sequence is settled.
            ahead: settled sequences beyond it; what lies between is still to be told.
            gone_after_seconds: a sequence that was skipped for so long is not in the stream any more.
        """
        self.through = through
        self._ahead = {sequence for sequence in ahead if sequence > through}
        self._highest = through
        self._gaps: list[_Gap] = []
        self._gone_after_seconds = gone_after_seconds

    @property
    def ahead(self) -> list[int]:
        """Settled sequences beyond `through`, in order."""
        return sorted(self._ahead)

    def __contains__(self, sequence: int) -> bool:
        return sequence <= self.through or sequence in self._ahead

    def begin_at(self, first: int, *, now_seconds: float) -> None:
        """Nothing before `first` is in the stream any more."""
        self.through = max(self.through, first - 1)
        self._highest = max(self._highest, self.through)
        self._advance(now_seconds)

    def receive(self, sequence: int, *, now_seconds: float) -> None:
        """Take note of a sequence that the server sent."""
        self._gaps = [part for gap in self._gaps for part in gap.without(sequence)]
        if sequence > self._highest + 1:
            self._gaps.append(_Gap(self._highest + 1, sequence - 1, now_seconds))
        self._highest = max(self._highest, sequence)

    def settle(self, sequences: Iterable[int], *, now_seconds: float) -> None:
        """These were told, or set aside."""
        self._ahead.update(sequences)
        self._advance(now_seconds)

    def _advance(self, now_seconds: float) -> None:
        while (next_through := self._step(self.through + 1, now_seconds)) is not None:
            self.through = next_through
        self._ahead = {sequence for sequence in self._ahead if sequence > self.through}
        self._gaps = [gap for gap in self._gaps if gap.last > self.through]

    def _step(self, following: int, now_seconds: float) -> int | None:
        if following in self._ahead:
            return following
        for gap in self._gaps:
            if gap.first <= following <= gap.last and now_seconds - gap.since_seconds > self._gone_after_seconds:
                return gap.last
        return None


class Order(Enum):
    """How an event stands to the one before it of the same job."""

    NEXT = "next"
    REPEATED = "repeated"
    BACKWARDS = "backwards"


@dataclass(frozen=True, slots=True)
class Place:
    """The newest event of a job: where it is in the stream, and which transition it tells."""

    stream_sequence: int
    transition_number: int


class JobPlaces:
    """The newest event of each recent job; the oldest jobs are forgotten."""

    def __init__(self, places: Iterable[tuple[str, Place]] = (), *, max_jobs: int = 256) -> None:
        self._places = OrderedDict(places)
        self._max_jobs = max_jobs

    def items(self) -> list[tuple[str, Place]]:
        """Job id and place, the least recent first."""
        return list(self._places.items())

    def judge(self, job_id: str, place: Place) -> Order:
        """Compare an event with the newest one of its job, and remember it when it is newer."""
        before = self._places.get(job_id)
        if before is not None and place.stream_sequence <= before.stream_sequence:
            return Order.NEXT  # It comes again, after a crash; its order was judged the first time.
        if before is None or place.transition_number > before.transition_number:
            self._remember(job_id, place)
            return Order.NEXT
        return Order.REPEATED if place.transition_number == before.transition_number else Order.BACKWARDS

    def _remember(self, job_id: str, place: Place) -> None:
        self._places[job_id] = place
        self._places.move_to_end(job_id)
        while len(self._places) > self._max_jobs:
            self._places.popitem(last=False)
