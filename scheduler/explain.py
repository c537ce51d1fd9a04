"""Why a job waits, in words, with the verdict on every live host. Pure."""

from datetime import datetime

from headway.contract.errors import NoGpuHost
from headway.contract.modes import mode_name
from headway.contract.priority import effective_priority
from headway.contract.standing import standing_in_words
from headway.contract.states import is_terminal
from headway.v1.job_specs_pb2 import EXECUTION_MODE_UNSPECIFIED
from headway.v1.jobs_pb2 import DESIRED_STATE_CANCEL, Job
from headway.v1.jobs_service_pb2 import ExplainJobResponse, HostVerdict
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
        # What passes by itself comes first: until then no host is asked.
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
    priority = 0.0 if is_terminal(job.state) else effective_priority(job, now)
    return ExplainJobResponse(summary=standing_in_words(job), effective_priority=priority)


def _wait_reason(verdicts: list[Verdict], mode: str, num_ahead: int) -> str:
    if not verdicts:
        return f"no trainer host is up; it runs{f' in mode {mode}' if mode else ''} as soon as one is"
    if any(verdict.is_suitable for verdict in verdicts):
        return "it is about to be given to a host"
    busy = [verdict for verdict in verdicts if verdict.is_for_now]
    named = _named([*busy, *(verdict for verdict in verdicts if not verdict.is_for_now)])
    if not busy:
        return f"none of the trainer hosts that are up can take it, however idle ({named})"
    ahead = f", {num_ahead} ahead by priority and age" if num_ahead else ""
    return f"every trainer host that suits it is busy{ahead} ({named})"


def _named(verdicts: list[Verdict]) -> str:
    named = "; ".join(f"{verdict.host}: {verdict.message}" for verdict in verdicts[:_NAMED_HOSTS])
    return named + (f"; and {len(verdicts) - _NAMED_HOSTS} more" if len(verdicts) > _NAMED_HOSTS else "")


def _told(verdict: Verdict) -> HostVerdict:
    return HostVerdict(host=verdict.host, suitable=verdict.is_suitable, reason=verdict.reason, message=verdict.message)
