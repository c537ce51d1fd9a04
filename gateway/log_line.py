"""A log line as it is kept: one JSON object a line, so that people can read the file too."""

import json

from google.protobuf.timestamp_pb2 import Timestamp

from headway.v1.jobs_service_pb2 import LogLine


def to_json(attempt: int, line: LogLine) -> str:
    """A line of an attempt as it is kept."""
    return json.dumps(
        {
            "number": line.number,
            "attempt": attempt,
            "time_ns": line.log_time.ToNanoseconds() if line.HasField("log_time") else None,
            "level": line.level,
            "message": line.message,
            "fields": dict(line.fields),
        },
        separators=(",", ":"),
        ensure_ascii=False,
    )


def from_json(text: bytes) -> LogLine:
    """A kept line.

    Raises:
        ValueError: a torn or foreign line.
    """
    match json.loads(text):
        case {"number": int(number), "attempt": int(attempt), "time_ns": int() | None as time_ns, "level": str(level),
              "message": str(message), "fields": dict(fields)}:  # fmt: skip
            line = LogLine(number=number, attempt=attempt, level=level, message=message)
            line.fields.update({str(name): str(value) for name, value in fields.items()})
            if time_ns is not None:
                moment = Timestamp()
                moment.FromNanoseconds(time_ns)
                line.log_time.CopyFrom(moment)
            return line
        case _:
            raise ValueError("not a log line")
