"""Log lines as events: as many to an event as its bound takes."""

from collections.abc import Iterator, Sequence

from headway.contract.cloud_events import Clean, Envelope, OutwardEvent, as_written, cloud_event, fill_common
from headway.contract.event_catalogue import LOG_ENTRY
from headway.contract.ids import JobName
from headway.contract.subjects import MAX_EVENT_BYTES, log_subject
from headway.contract.times import moment
from headway.v1.events_pb2 import JobLogEvent
from headway.v1.jobs_pb2 import Job
from headway.v1.jobs_service_pb2 import LogLine

LINES_PER_EVENT_MAX = 50
_BODY_MAX_BYTES = MAX_EVENT_BYTES - 1024
"""Leaves room for the subject and the headers."""


def log_events(
    job: Job, host: str, attempt: int, lines: Sequence[LogLine], clean: Clean = as_written
) -> Iterator[OutwardEvent]:
    """The events of some lines, in order. A line that alone is too large is left out.

    Args:
        job: whose.
        host: `hosts/{host}` that sent them.
        attempt: that wrote them.
        lines: in order; each has a number and a time.
        clean: takes secrets and paths out of a text.
    """
    for start in range(0, len(lines), LINES_PER_EVENT_MAX):
        yield from _halved(job, host, attempt, lines[start : start + LINES_PER_EVENT_MAX], clean)


def _halved(job: Job, host: str, attempt: int, lines: Sequence[LogLine], clean: Clean) -> Iterator[OutwardEvent]:
    event = _log_event(job, host, attempt, lines, clean)
    if len(event.body) <= _BODY_MAX_BYTES:
        yield event
    elif len(lines) > 1:
        middle = len(lines) // 2
        yield from _halved(job, host, attempt, lines[:middle], clean)
        yield from _halved(job, host, attempt, lines[middle:], clean)


def _log_event(job: Job, host: str, attempt: int, lines: Sequence[LogLine], clean: Clean) -> OutwardEvent:
    name = JobName.parse(job.name)
    data = JobLogEvent(lines=lines)
    fill_common(data, job, attempt=attempt, host=host, sequence=0)
    event_id = f"{name.job_id}:log:{attempt}:{lines[0].number}"
    about = Envelope(LOG_ENTRY.event_type, event_id, job.name, moment(lines[-1].log_time))
    return OutwardEvent(log_subject(name.project, name.job_id), "", cloud_event(about, data, clean))
