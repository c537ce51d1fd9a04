"""What a host should be doing: from the jobs that it holds and what it says, the whole of an answer. Pure."""

from collections.abc import Callable, Iterable
from datetime import timedelta

from headway.contract.run_time import time_left
from headway.contract.times import duration
from headway.v1.jobs_pb2 import ATTEMPT_OUTCOME_SUCCEEDED, JOB_STATE_CANCELLING, JOB_STATE_PAUSING
from headway.v1.records_pb2 import JobRecord
from headway.v1.scheduler_service_pb2 import AttemptOrder, AttemptReference, AttemptStop, SynchronizeResponse
from scheduler.host_table import LiveHost
from scheduler.snapshot import AttemptKey, HeldJob, Standing

BEATS_PER_LEASE = 5
"""A host may miss four beats in a row before its lease ends."""


def desired_state(
    host: LiveHost,
    held: Iterable[tuple[HeldJob, JobRecord]],
    standing: Callable[[AttemptKey], Standing],
    *,
    lease: timedelta,
) -> SynchronizeResponse:
    """The whole answer to a host, but for the sequence number.

    Args:
        host: as it last described itself.
        held: the jobs that it holds, with their records.
        standing: where an attempt that it reports stands.
        lease: how long the scheduler believes in it unheard.
    """
    ended = {(end.job_id, end.attempt): end for end in host.ended}
    response = SynchronizeResponse(next_sync_delay=duration(lease / BEATS_PER_LEASE), lease_duration=duration(lease))
    for job, record in sorted(held, key=lambda pair: pair[0].key):
        # One that has ended, or that an earlier boot took with it, is neither to be run nor to be stopped: its end is
        # about to be recorded.
        if job.key not in ended and job.key not in host.forgotten:
            _add(response, job, record)
    for key, name in sorted(host.reported.items()):
        end = ended.get(key)
        where = standing(key)
        if end is None and where is Standing.OVER:
            response.stop.add(job=name, attempt=key[1], reason=AttemptStop.REASON_STALE)
        elif end is not None and _may_be_forgotten(where, is_result=end.outcome == ATTEMPT_OUTCOME_SUCCEEDED):
            response.release.append(AttemptReference(job=name, attempt=key[1]))
    return response


def _add(response: SynchronizeResponse, job: HeldJob, record: JobRecord) -> None:
    if job.state == JOB_STATE_CANCELLING:
        response.stop.add(job=job.name, attempt=job.attempt, reason=AttemptStop.REASON_CANCEL)
    elif job.state == JOB_STATE_PAUSING:
        response.stop.add(job=job.name, attempt=job.attempt, reason=AttemptStop.REASON_PAUSE)
    else:
        response.run.append(order_of(record))


def order_of(record: JobRecord) -> AttemptOrder:
    """The job's current attempt, with all that a host needs to run it."""
    job = record.job
    return AttemptOrder(
        job=job.name,
        attempt=job.attempt,
        spec=job.spec,
        kind=job.kind,
        inputs=record.inputs,
        mode=job.mode,
        checkpoint=job.checkpoint if job.HasField("checkpoint") else None,
        user_id=job.user_id,
        previous_checkpoint=record.previous_checkpoint if record.HasField("previous_checkpoint") else None,
        runtime_left=duration(left) if (left := time_left(record)) is not None else None,
    )


def _may_be_forgotten(standing: Standing, *, is_result: bool) -> bool:
    """Whether a host may let go of an attempt that has ended.

    A result of an attempt that nobody knows stays on its host: the gateway decides about results, and a scheduler that
    has lost its memory must not cost anybody a model (P11).
    """
    return standing in {Standing.OVER, Standing.COMMITTED} or (standing is Standing.UNKNOWN and not is_result)
