"""The live jobs in memory, kept up to date record by record: the queue in order, and what hosts hold.

Terminal jobs are let go of, but for the newest few thousand, whose hosts may still ask about them.
"""

import bisect
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from google.protobuf.message import DecodeError

from headway.contract.errors import InvalidName
from headway.contract.ids import JobName
from headway.contract.modes import wish_of
from headway.contract.priority import SECONDS_PER_POINT, base_priority
from headway.contract.states import is_held, is_terminal
from headway.contract.times import moment
from headway.v1.job_specs_pb2 import JobSpec
from headway.v1.jobs_pb2 import JOB_STATE_QUEUED, Job
from headway.v1.records_pb2 import JobRecord
from scheduler.snapshot import Demand, HeldJob, Order, QueuedJob

SETTLED_KEPT: Final = 10_000
DEMANDS_KEPT: Final = 10_000


@dataclass(frozen=True, slots=True)
class LiveJob:
    """A job that is not over.

    Attributes:
        record: its newest record; never changed in place.
        revision: what a compare-and-set must name.
        view: how a pass sees it; None while no pass has anything to do with it, as for a paused job.
    """

    record: JobRecord
    revision: int
    view: QueuedJob | HeldJob | None


@dataclass(frozen=True, slots=True)
class _Settled:
    """What is kept of a job that is over; `committed_attempt` is 0 when it has no result."""

    revision: int
    committed_attempt: int


_NEVER: Final = _Settled(0, 0)


class JobIndex:
    """Live jobs by id, with the queue of each lane kept in order."""

    def __init__(self) -> None:
        self._live: dict[str, LiveJob] = {}
        self._held: dict[str, HeldJob] = {}
        self._queue: list[QueuedJob] = []
        self._inference_queue: list[QueuedJob] = []
        self._settled: OrderedDict[str, _Settled] = OrderedDict()
        self._demands: dict[Demand, Demand] = {}

    def put(self, job_id: str, revision: int, record: JobRecord, *, now: datetime, now_seconds: float) -> bool:
        """Take a newer revision of a job in.

        Args:
            job_id: key of the record.
            revision: its revision; an older one than known changes nothing.
            record: the index keeps it; the caller must not change it any more.
            now: wall time, to tell how long a retry still has to wait.
            now_seconds: the same moment, monotonic.

        Returns:
            Whether it was news.
        """
        known = self._live.get(job_id)
        if revision <= (known.revision if known else self._settled.get(job_id, _NEVER).revision):
            return False
        self._forget_view(known)
        self._settled.pop(job_id, None)
        if is_terminal(record.job.state):
            self._settle(job_id, _Settled(revision, record.job.result.attempt))
            return True
        view = self._view_of(job_id, record, now, now_seconds)
        self._live[job_id] = LiveJob(record, revision, view)
        if isinstance(view, QueuedJob):
            bisect.insort(self._queue_of(view), view, key=_order)
        elif view is not None:
            self._held[job_id] = view
        return True

    def remove(self, job_id: str, revision: int) -> bool:
        """Forget a job whose record was deleted or cannot be read; whether it was known."""
        known = self._live.get(job_id)
        if known is None or revision <= known.revision:
            return False
        self._forget_view(known)
        del self._live[job_id]
        return True

    def find(self, job_id: str) -> LiveJob | None:
        """A job that is not over, or None."""
        return self._live.get(job_id)

    def is_settled(self, job_id: str) -> bool:
        """Whether the job is known to be over; False also for one that ended long ago."""
        return job_id in self._settled

    def is_committed(self, job_id: str, attempt: int) -> bool:
        """Whether the job is known to be over with a result that this attempt made."""
        settled = self._settled.get(job_id, _NEVER)
        return attempt > 0 and settled.committed_attempt == attempt

    @property
    def queued(self) -> tuple[QueuedJob, ...]:
        """What waits for a slot, in order."""
        return tuple(self._queue)

    @property
    def queued_inference(self) -> tuple[QueuedJob, ...]:
        """What waits in the lane of inference, in order."""
        return tuple(self._inference_queue)

    @property
    def held(self) -> tuple[HeldJob, ...]:
        """Every job that a host holds."""
        return tuple(self._held.values())

    def held_by(self, host: str) -> Iterator[HeldJob]:
        """Every job that this host holds."""
        return (job for job in self._held.values() if job.host == host)

    def num_ahead(self, job: QueuedJob) -> int:
        """Queued jobs of its lane that go before this one."""
        return bisect.bisect_left(self._queue_of(job), job.order, key=_order)

    def _queue_of(self, job: QueuedJob) -> list[QueuedJob]:
        return self._inference_queue if job.demand.is_inference else self._queue

    def _forget_view(self, known: LiveJob | None) -> None:
        view = known.view if known else None
        if isinstance(view, QueuedJob):
            del self._queue_of(view)[self.num_ahead(view)]
        elif view is not None:
            del self._held[view.job_id]

    def _settle(self, job_id: str, settled: "_Settled") -> None:
        self._live.pop(job_id, None)
        self._settled[job_id] = settled
        if len(self._settled) > SETTLED_KEPT:
            self._settled.popitem(last=False)

    def _view_of(self, job_id: str, record: JobRecord, now: datetime, now_seconds: float) -> QueuedJob | HeldJob | None:
        job = record.job
        demand = self._interned(demand_of(job.spec, job.kind))
        if job.state == JOB_STATE_QUEUED:
            ready_at = now_seconds + wait_seconds(record, now)
            return QueuedJob(job_id, job.name, order_of(job, job_id), demand, ready_at, job.desired)
        if is_held(job.state):
            return HeldJob(job_id, job.name, job.attempt, job.host, job.state, demand)
        return None

    def _interned(self, demand: Demand) -> Demand:
        """One object for equal demands, so that a pass compares them by identity."""
        if len(self._demands) > DEMANDS_KEPT:
            self._demands.clear()
        return self._demands.setdefault(demand, demand)


def parse_record(job_id: str, data: bytes) -> JobRecord:
    """Read a job's record.

    Raises:
        ValueError: when the bytes are no record of this job.
    """
    try:
        record = JobRecord.FromString(data)
        named = JobName.parse(record.job.name).job_id
    except (DecodeError, InvalidName) as error:
        raise ValueError(f"the bytes under key {job_id} are no record of a job") from error
    if named != job_id:
        raise ValueError(f"the record under key {job_id} is one of {named}")
    return record


def demand_of(spec: JobSpec, kind: str) -> Demand:
    """What a spec asks of a host. A gpu_count without require_gpu is a wish that no host is refused for."""
    resources = spec.resource_spec
    num_gpus = max(1, resources.gpu_count) if resources.require_gpu else 0
    return Demand(wish_of(spec, kind), num_gpus, resources.memory_mib)


def order_of(job: Job, job_id: str) -> Order:
    """Where a job stands: by effective priority, which is base priority and one point for each hour waited.

    All jobs gain points at the same pace, so the order never changes by waiting alone, only when somebody sets another
    priority; the time of creation, then the id, settle a tie.
    """
    create_seconds = job.create_time.seconds + job.create_time.nanos / 1e9
    return (create_seconds - SECONDS_PER_POINT * base_priority(job), create_seconds, job_id)


def wait_seconds(record: JobRecord, now: datetime) -> float:
    """How long a job must still wait for its retry.

    Never longer than was decided when the retry was: both times were written together, so a wall clock that went back
    since then makes no wait longer (P22).
    """
    if not record.HasField("not_before_time"):
        return 0.0
    not_before = moment(record.not_before_time)
    decided = (not_before - moment(record.job.update_time)).total_seconds()
    return max(0.0, min((not_before - now).total_seconds(), decided))


def _order(job: QueuedJob) -> Order:
    return job.order
