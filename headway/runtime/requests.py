"""What records and publishing need of JetStream: store one message, read the newest one."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from headway.runtime.bus import Published
from headway.runtime.jetstream import is_deletion


@dataclass(frozen=True, slots=True)
class RawStored:
    """The newest message of a subject, as bytes."""

    subject: str
    data: bytes
    sequence: int
    time: datetime
    headers: Mapping[str, str]

    @property
    def is_deletion(self) -> bool:
        """Whether it only says that the key is gone."""
        return is_deletion(self.headers)


class Requests(Protocol):
    """A server, real or in memory."""

    async def publish(
        self, subject: str, data: bytes, *, ttl: timedelta | None = None, headers: Mapping[str, str] | None = None
    ) -> Published:
        """Store one message.

        Raises:
            SequenceConflict: the headers name a last sequence that does not hold.
            OutcomeUnknown: no answer came.
            StoreUnavailable: not sent.
            MessageTooLarge: over a bound of the stream or the server.
            DiskFull: the stream or the disk has no room.
        """
        ...

    async def last(self, stream: str, subject: str) -> RawStored | None:
        """The newest message of a subject (wildcards allowed); None when there is none."""
        ...


def whole_seconds(span: timedelta) -> int:
    """A time to live as JetStream wants it: whole seconds, rounded up, at least one."""
    return max(1, math.ceil(span.total_seconds()))
