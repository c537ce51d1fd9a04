"""Everything that the scheduler believes: jobs, hosts, leases, the default mode. No I/O; times are arguments.

The truth of a job is its record in the bucket `jobs`; this view follows it, and is ahead of nobody: a write of our own
is taken in as soon as it is acknowledged, and its echo from the bucket is then old news.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from headway.v1.hosts_pb2 import Host
from headway.v1.job_specs_pb2 import ExecutionMode
from headway.v1.records_pb2 import JobRecord
from scheduler.host_table import HostTable, LiveHost, Voice, Word
from scheduler.job_index import JobIndex, LiveJob
from scheduler.leases import LeaseBook
from scheduler.signals import Signals
from scheduler.snapshot import AttemptKey, HeldJob, Snapshot, Standing

RECONNECT_SECONDS = 6.0
"""How long a host may take to call again after a time without a scheduler: its own longest wait between two calls, and
that of the channel below it."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One moment by both clocks.

    Attributes:
        time: wall time, for records and people.
        seconds: monotonic, for leases and waits.
    """

    time: datetime
    seconds: float


class ClusterView:
    """The scheduler's memory; everything in it can be had again from the bucket and the hosts."""

    def __init__(self, lease_seconds: float, default_mode: "ExecutionMode.ValueType", signals: Signals) -> None:
        self.jobs = JobIndex()
        self._lease_seconds = lease_seconds
        self._reconnect_seconds = max(0.0, RECONNECT_SECONDS - lease_seconds)
        self.hosts = HostTable(lease_seconds)
        self.default_mode = default_mode
        self._leases = LeaseBook(lease_seconds)
        self._run_seconds: dict[str, tuple[int, float]] = {}
        self._signals = signals

    def put_job(self, job_id: str, revision: int, record: JobRecord, now: Moment) -> bool:
        """Take in a revision of a job's record; returns whether it was news."""
        hosts = self._hosts_of(job_id)
        if not self.jobs.put(job_id, revision, record, now=now.time, now_seconds=now.seconds):
            return False
        held = self._held(job_id)
        if held is None:
            self._leases.revoke(job_id)
            self._run_seconds.pop(job_id, None)
        else:
            self._leases.grant(job_id, held.attempt, held.host, now=now.seconds)
        self._signals.news({*hosts, *self._hosts_of(job_id)})
        return True

    def remove_job(self, job_id: str, revision: int) -> None:
        """The record is gone, or cannot be read."""
        hosts = self._hosts_of(job_id)
        if self.jobs.remove(job_id, revision):
            self._leases.revoke(job_id)
            self._run_seconds.pop(job_id, None)
            self._signals.news(hosts)

    def set_default_mode(self, mode: "ExecutionMode.ValueType") -> None:
        """Jobs that leave their mode open are placed by this one from now on."""
        self.default_mode = mode
        self._signals.news()

    def forget_hosts(self) -> None:
        """Begin without hosts, as after a restart: somebody else heard them meanwhile."""
        self.hosts = HostTable(self._lease_seconds)
        self._signals.news()

    def expect_host(self, host: Host, *, join_time: datetime, heard_time: datetime, now: Moment) -> None:
        """Take in a host known from before a restart."""
        self.hosts.expect(host, join_time=join_time, heard_time=heard_time, now_seconds=now.seconds)

    def hear(self, word: Word, voice: Voice, now: Moment) -> Voice | None:
        """Take in a host's message and renew the leases of the attempts that it reports.

        Returns:
            The older stream that this one replaces; None when there is none.

        Raises:
            HostIdInUse: another live boot speaks for this host id.
        """
        name = word.host.name
        before = self.hosts.find(name)
        seen = (before.host, before.reported, before.ended, before.voice) if before else None
        held = [job.key for job in self.jobs.held_by(name)]
        replaced = self.hosts.hear(word, voice, held=held, now=now.time, now_seconds=now.seconds)
        for job_id, attempt in word.reported:
            if self._leases.renew(job_id, attempt, name, now=now.seconds):
                self._note_run_seconds(job_id, attempt, word.run_seconds.get((job_id, attempt), 0.0))
        if seen != (word.host, word.reported, word.ended, voice):
            self._signals.news([name])
        return replaced

    def hang_up(self, name: str, voice: Voice) -> None:
        """A host's stream has ended."""
        self.hosts.hang_up(name, voice)
        self._signals.news()

    def lose_silent_hosts(self, now: Moment) -> list[LiveHost]:
        """Take out the hosts that were silent for longer than their lease. Their attempts' leases end by themselves."""
        lost = self.hosts.lose_silent(now_seconds=now.seconds)
        if lost:
            self._signals.news()
        return lost

    def restart_leases(self, now: Moment) -> None:
        """Start every lease anew, after recovery or after a time in which this process did not run (P17, P18).

        A lease shorter than it takes to call again is stretched this once.
        """
        heard_at = now.seconds + self._reconnect_seconds
        self._leases.restart(now=heard_at)
        self.hosts.restart(now_seconds=heard_at)
        self._signals.news()

    def snapshot(self) -> Snapshot:
        """What a pass decides on."""
        return Snapshot(
            queued=self.jobs.queued,
            queued_inference=self.jobs.queued_inference,
            held=self.jobs.held,
            hosts=tuple(host.view for host in self.hosts.all()),
            lease_ends=self._leases.ends(),
            default_mode=self.default_mode,
            run_seconds={(job_id, attempt): ran for job_id, (attempt, ran) in self._run_seconds.items()},
        )

    def orders_for(self, host: str) -> Iterator[tuple[HeldJob, LiveJob]]:
        """The jobs that this host holds, with their records."""
        for held in self.jobs.held_by(host):
            live = self.jobs.find(held.job_id)
            if live is not None:
                yield held, live

    def standing(self, host: str, key: AttemptKey) -> Standing:
        """Where an attempt that a host reports stands."""
        job_id, attempt = key
        live = self.jobs.find(job_id)
        if live is None:
            if self.jobs.is_committed(job_id, attempt):
                return Standing.COMMITTED
            return Standing.OVER if self.jobs.is_settled(job_id) else Standing.UNKNOWN
        held = self._held(job_id)
        if held is not None and (held.attempt, held.host) == (attempt, host):
            return Standing.CURRENT
        # A number above ours means that our view is behind: no verdict on what we do not know.
        return Standing.OVER if attempt <= live.record.job.attempt else Standing.UNKNOWN

    def _note_run_seconds(self, job_id: str, attempt: int, ran: float) -> None:
        """Never less than before: a host that was started anew does not know what its attempt took before that."""
        self._run_seconds[job_id] = max((attempt, ran), self._run_seconds.get(job_id, (0, 0.0)))

    def _held(self, job_id: str) -> HeldJob | None:
        live = self.jobs.find(job_id)
        return live.view if live is not None and isinstance(live.view, HeldJob) else None

    def _hosts_of(self, job_id: str) -> set[str]:
        held = self._held(job_id)
        return {held.host} if held is not None else set()
