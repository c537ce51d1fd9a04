"""The book of leases: which host holds which attempt, and until when, by the scheduler's own monotonic clock.

A lease is a belief, not a fence: a host whose lease has ended may go on training, but the attempt number in the job's
record keeps it from committing. Times are arguments, in monotonic seconds.
"""

from dataclasses import dataclass

from scheduler.snapshot import AttemptKey


@dataclass(frozen=True, slots=True)
class Lease:
    """The right of one host to one attempt.

    Attributes:
        job_id: the job.
        attempt: the fence.
        host: `hosts/{host}`.
        end: monotonic seconds; at that moment the lease is over.
    """

    job_id: str
    attempt: int
    host: str
    end: float

    def is_live(self, now: float) -> bool:
        """Whether the host still has the right at `now`."""
        return now < self.end


class LeaseBook:
    """At most one lease a job, of its newest attempt."""

    def __init__(self, term_seconds: float) -> None:
        """Open an empty book.

        Args:
            term_seconds: how long a lease lasts from its grant or renewal.
        """
        self._term_seconds = term_seconds
        self._leases: dict[str, Lease] = {}

    def grant(self, job_id: str, attempt: int, host: str, *, now: float) -> Lease | None:
        """Give a host the right to an attempt, for a full term. An older attempt's lease ends with it.

        Returns:
            The new lease; None when this attempt or a newer one has a lease already, and nothing changes.
        """
        current = self._leases.get(job_id)
        if current is not None and current.attempt >= attempt:
            return None
        lease = Lease(job_id, attempt, host, now + self._term_seconds)
        self._leases[job_id] = lease
        return lease

    def renew(self, job_id: str, attempt: int, host: str, *, now: float) -> bool:
        """Extend the lease of the host that holds this very attempt by a full term from `now`.

        A lease that has run out and that nobody has reaped yet is renewed too: the host is heard of again before its
        attempt was given away.
        """
        current = self._leases.get(job_id)
        if current is None or (current.attempt, current.host) != (attempt, host):
            return False
        self._leases[job_id] = Lease(job_id, attempt, host, max(current.end, now + self._term_seconds))
        return True

    def revoke(self, job_id: str) -> None:
        """Nobody holds the job any more."""
        self._leases.pop(job_id, None)

    def restart(self, *, now: float) -> None:
        """Start every lease anew: the scheduler was not listening, so silence up to now proves nothing."""
        for lease in tuple(self._leases.values()):
            self.renew(lease.job_id, lease.attempt, lease.host, now=now)

    def holder(self, job_id: str) -> Lease | None:
        """The newest lease of a job, live or not."""
        return self._leases.get(job_id)

    def ends(self) -> dict[AttemptKey, float]:
        """When each lease ends."""
        return {(lease.job_id, lease.attempt): lease.end for lease in self._leases.values()}
