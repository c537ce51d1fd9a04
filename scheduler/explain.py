"""Why a job waits, in words, with the verdict on every live host. Pure."""

from datetime import datetime

from headway.contract.errors import NoGpuHost
from headway.contract.modes import mode_name
from headway.contract.pausing import paused_in_words
from headway.contract.states import is_held, is_terminal, state_name
from headway.v1.job_specs_pb2 import EXECUTION_MODE_UNSPECIFIED
from headway.v1.jobs_pb2 import (
    DESIRED_STATE_CANCEL,
    DESIRED_STATE_RUN,
    JOB_STATE_PAUSING,
    Job,
)
from headway.v1.jobs_service_pb2 import ExplainJobResponse, HostVerdict
from scheduler.job_index import effective_priority
from scheduler.mode_selection import select_for
from scheduler.placement import Verdict, judge, rooms_of
from scheduler.snapshot import QueuedJob, Snapshot

_NAMED_HOSTS = 3


def explain_queued(
    job: Job, queued: QueuedJob, num_ahead: int, snapshot: Snapshot, *, now: datetime, now_seconds: float
) -> ExplainJobResponse:
    """Why a queued job waits.

    Args:
        job: as recorded.
        queued: how a pass sees it.
        num_ahead: queued jobs that go first.
        snapshot: what a pass would decide on.
        now: wall time.
        now_seconds: the same moment, monotonic.
    """
    selection = select_for(queued.demand.wish, snapshot.default_mode, snapshot.hosts)
    mode = EXECUTION_MODE_UNSPECIFIED if isinstance(selection, NoGpuHost) else selection.mode
    rooms = rooms_of(snapshot.hosts, snapshot.held)
    verdicts = [judge(queued.demand, mode, rooms[name]) for name in sorted(rooms)]
    if queued.desired == DESIRED_STATE_CANCEL:
        summary = "it is about to be cancelled"
    elif queued.ready_at > now_seconds:
        summary = f"its next attempt starts in {queued.ready_at - now_seconds:.0f} s, after: {job.failure.message}"
    elif isinstance(selection, NoGpuHost):
        summary = selection.message
    else:
        summary = _wait_reason(verdicts, mode_name(mode), num_ahead)
    return ExplainJobResponse(
        summary=f"QUEUED: {summary}",
        effective_priority=effective_priority(job, now),
        num_ahead=num_ahead,
        verdicts=[_told(verdict) for verdict in verdicts],
    )


def explain_settled(job: Job, *, now: datetime) -> ExplainJobResponse:
    """Where a job stands that is not queued."""
    if is_held(job.state):
        where = f"attempt {job.attempt} is held by {job.host} in mode {mode_name(job.mode)}{_pausing(job)}"
        summary = f"{where}; {job.fallback_reason}" if job.fallback_reason else where
    elif is_terminal(job.state):
        summary = job.failure.message or f"it is over after {job.attempt} attempts"
    else:
        summary = paused_in_words(job)
    priority = 0.0 if is_terminal(job.state) else effective_priority(job, now)
    return ExplainJobResponse(summary=f"{state_name(job.state)}: {summary}", effective_priority=priority)


def _pausing(job: Job) -> str:
    if job.state != JOB_STATE_PAUSING:
        return ""
    then = "queued again, since it was resumed" if job.desired == DESIRED_STATE_RUN else "paused"
    return f"; once its host has stopped it, it is {then}"


def _wait_reason(verdicts: list[Verdict], mode: str, num_ahead: int) -> str:
    refused = [verdict for verdict in verdicts if not verdict.is_suitable]
    if not verdicts:
        return f"no trainer host is up; it runs in mode {mode} as soon as one is"
    if len(refused) < len(verdicts):
        return "it is about to be given to a host"
    named = "; ".join(f"{verdict.host}: {verdict.message}" for verdict in refused[:_NAMED_HOSTS])
    more = f"; and {len(refused) - _NAMED_HOSTS} more" if len(refused) > _NAMED_HOSTS else ""
    ahead = f", {num_ahead} ahead" if num_ahead else ""
    return f"no host can take it now{ahead} ({named}{more})"


def _told(verdict: Verdict) -> HostVerdict:
    return HostVerdict(host=verdict.host, suitable=verdict.is_suitable, reason=verdict.reason, message=verdict.message)
