"""Makes a host's log lines fit to be kept and shown: bounded, of this attempt, without secrets."""

from collections.abc import Callable, Sequence

from headway.contract.errors import StreamProtocol
from headway.contract.limits import LOG_LINES_PER_MESSAGE_MAX, LOG_MESSAGE_MAX_CHARACTERS
from headway.v1.jobs_service_pb2 import LogLine

FIELDS_MAX = 32
_FIELD_NAME_MAX_CHARACTERS = 64
_FIELD_MAX_CHARACTERS = 512
_LEVELS = frozenset({"debug", "info", "warning", "error"})


def checked_lines(lines: Sequence[LogLine], attempt: int, clean: Callable[[str], str]) -> list[LogLine]:
    """Copies of the lines, cut and cleaned.

    Args:
        lines: as the host sent them.
        attempt: the attempt that they are of, whatever they say themselves.
        clean: takes secrets and paths out of a text; the host has done so, and is not relied upon.

    Raises:
        StreamProtocol: more than 500 lines in a message, or a number below 1.
    """
    if len(lines) > LOG_LINES_PER_MESSAGE_MAX:
        raise StreamProtocol(f"a message has {len(lines)} lines; the limit is {LOG_LINES_PER_MESSAGE_MAX}")
    if any(line.number < 1 for line in lines):
        raise StreamProtocol("log lines are numbered from 1")
    return [_checked(line, attempt, clean) for line in lines]


def _checked(line: LogLine, attempt: int, clean: Callable[[str], str]) -> LogLine:
    copy = LogLine(
        number=line.number,
        attempt=attempt,
        level=line.level if line.level in _LEVELS else "info",
        message=clean(line.message[:LOG_MESSAGE_MAX_CHARACTERS]),
    )
    if line.HasField("log_time") and 0 <= line.log_time.nanos < 1_000_000_000 and line.log_time.seconds >= 0:
        copy.log_time.CopyFrom(line.log_time)
    for name in sorted(line.fields)[:FIELDS_MAX]:
        copy.fields[name[:_FIELD_NAME_MAX_CHARACTERS]] = clean(line.fields[name][:_FIELD_MAX_CHARACTERS])
    return copy
