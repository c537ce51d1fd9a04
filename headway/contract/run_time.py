"""How long a job has been at work, and how much of its max_runtime is left. Pure.

The hosts measure it, by their monotonic clocks; the record adds it up. A term is what max_runtime bounds: it begins
when the job is submitted, and again when somebody resumes the job after a term was used up.
"""

from datetime import timedelta

from headway.contract.times import duration
from headway.v1.job_specs_pb2 import JobSpec
from headway.v1.records_pb2 import JobRecord

MAX_RUNTIME = "MAX_RUNTIME"
NONE = timedelta(0)


def time_left(record: JobRecord) -> timedelta | None:
    """What is left of the present term, never below zero; None when the job may take as long as it wants."""
    policies = record.job.spec.policies
    if not policies.HasField("max_runtime"):
        return None
    used = record.job.runtime.ToTimedelta() - record.runtime_before.ToTimedelta()
    return max(NONE, policies.max_runtime.ToTimedelta() - used)


def is_used_up(record: JobRecord) -> bool:
    """Whether the job must not be given to a host before somebody has resumed it."""
    return time_left(record) == NONE


def add_run_time(changed: JobRecord, ran: timedelta) -> None:
    """Count what the current attempt took, in place."""
    if ran > NONE:
        changed.job.attempts[-1].runtime.CopyFrom(duration(ran))
        changed.job.runtime.CopyFrom(duration(changed.job.runtime.ToTimedelta() + ran))


def use_up(changed: JobRecord) -> None:
    """End the term, in place: its host says that it is over, and a rounding of clocks is no reason to go on."""
    limit = changed.job.spec.policies.max_runtime.ToTimedelta()
    least = changed.runtime_before.ToTimedelta() + limit
    changed.job.runtime.CopyFrom(duration(max(changed.job.runtime.ToTimedelta(), least)))


def begin_term(changed: JobRecord) -> None:
    """Give the job its max_runtime once more, in place."""
    changed.runtime_before.CopyFrom(changed.job.runtime)


def used_up_in_words(spec: JobSpec) -> str:
    """Why a job is paused that nobody asked to pause."""
    seconds = spec.policies.max_runtime.ToTimedelta().total_seconds()
    return f"its max_runtime of {seconds:g} s is used up; resume it to give it as long again"
