"""An attempt's log lines between the child and the gateway: numbered, kept until accepted, bounded."""

from collections import deque
from collections.abc import Mapping
from datetime import datetime

from headway.contract.limits import LOG_LINES_PER_MESSAGE_MAX, LOG_MESSAGE_MAX_CHARACTERS, MIB
from headway.contract.times import timestamp
from headway.v1.jobs_service_pb2 import LogLine

_FIELDS_MAX = 32
_FIELD_MAX_CHARACTERS = 256
_KEPT_BYTES = 2 * MIB
_KEPT_LINES = 5000


class LogBuffer:
    """The lines that the gateway has not accepted yet.

    A gateway that stays away must not fill the agent's memory: beyond 5,000 lines or 2 MiB the oldest are dropped. The
    whole log is in the bundle all the same.
    """

    def __init__(self, attempt: int) -> None:
        self.num_dropped = 0
        self._attempt = attempt
        self._number = 0
        self._lines: deque[LogLine] = deque()
        self._num_bytes = 0
        self._num_sent = 0

    def add(self, level: str, message: str, fields: Mapping[str, str], log_time: datetime) -> None:
        """Number a line and keep it."""
        self._number += 1
        line = LogLine(
            number=self._number,
            attempt=self._attempt,
            log_time=timestamp(log_time),
            level=level,
            message=message[:LOG_MESSAGE_MAX_CHARACTERS],
            fields={key: value[:_FIELD_MAX_CHARACTERS] for key, value in list(fields.items())[:_FIELDS_MAX]},
        )
        self._lines.append(line)
        self._num_bytes += line.ByteSize()
        while len(self._lines) > _KEPT_LINES or self._num_bytes > _KEPT_BYTES:
            self._drop_oldest()
            self.num_dropped += 1

    @property
    def num_unaccepted(self) -> int:
        """Lines that are kept, sent or not."""
        return len(self._lines)

    def has_unsent(self) -> bool:
        """Whether a line waits to be sent."""
        return self._num_sent < len(self._lines)

    def take_unsent(self) -> list[LogLine]:
        """The next lines to send, at most as many as one message may hold; they are kept until accepted."""
        start = self._num_sent
        self._num_sent = min(len(self._lines), start + LOG_LINES_PER_MESSAGE_MAX)
        return [self._lines[index] for index in range(start, self._num_sent)]

    def accept_sent(self) -> None:
        """The gateway has kept all that was sent."""
        for _ in range(self._num_sent):
            self._drop_oldest()

    def resend(self) -> None:
        """What was sent and not accepted goes out again; the gateway drops numbers that it knows."""
        self._num_sent = 0

    def _drop_oldest(self) -> None:
        self._num_bytes -= self._lines.popleft().ByteSize()
        self._num_sent = max(0, self._num_sent - 1)
