"""Records: one protobuf message a key, every change a compare-and-set on its revision."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, Protocol, TypeVar

from google.protobuf.message import Message

M = TypeVar("M", bound=Message)

MAX_KEY_CHARACTERS = 512
_KEY = re.compile(r"[A-Za-z0-9_=-]+(?:/[A-Za-z0-9_=-]+)*")


class RecordError(Exception):
    """A record is not as the caller expected; nothing was written. Args: bucket, key."""

    def __init__(self, bucket: str, key: str) -> None:
        super().__init__(f"{bucket}: {key}")
        self.bucket = bucket
        self.key = key


class RecordMissing(RecordError):
    """No record has this key: never created, deleted or expired."""


class RecordExists(RecordError):
    """A create found a record of this key with other content."""


class Conflict(RecordError):
    """The record has another revision than the caller read."""


@dataclass(frozen=True, slots=True)
class Stored(Generic[M]):
    """A record as read.

    Attributes:
        key: within its bucket.
        value: a copy that belongs to the caller.
        revision: what `update` must name; grows with every write of the bucket.
        time: when this revision was written, by the server's clock.
    """

    key: str
    value: M
    revision: int
    time: datetime


TimeToLive = Callable[[M], timedelta | None]


class Records(Protocol[M]):
    """One bucket. Any method raises StoreUnavailable when the server does not answer."""

    async def get(self, key: str) -> Stored[M]:
        """The newest acknowledged revision.

        Raises:
            RecordMissing: no such record.
        """
        ...

    async def find(self, key: str) -> Stored[M] | None:
        """As `get`, with None for a record that does not exist."""
        ...

    async def create(self, key: str, value: M, *, ttl: timedelta | None = None) -> int:
        """Write a record that must not exist.

        An answer that is lost is settled by trying again: if the bytes found are these, the create has happened.

        Returns:
            Its revision.

        Raises:
            RecordExists: another record has the key.
        """
        ...

    async def update(self, key: str, value: M, revision: int, *, ttl: timedelta | None = None) -> int:
        """Replace the revision that was read; a lost answer is settled as in `create`.

        Args:
            key: of an existing record.
            value: the whole new value.
            revision: as read.
            ttl: the record vanishes after this; None keeps it for ever, also when it had one before.

        Returns:
            The new revision.

        Raises:
            Conflict: the record has changed or vanished meanwhile.
        """
        ...

    async def put(self, key: str, value: M, *, ttl: timedelta | None = None) -> int:
        """Write whatever was there before. Only for buckets with one writer."""
        ...

    async def delete(self, key: str, revision: int | None = None) -> None:
        """Remove a record; followers see a deletion. No error when it is missing and no revision is named.

        Raises:
            Conflict: it has another revision than named.
        """
        ...

    async def change(self, key: str, decide: Callable[[M], M | None], *, ttl: TimeToLive[M] | None = None) -> Stored[M]:
        """Read, decide, write; again from the start while others win.

        Args:
            key: of an existing record.
            decide: pure; gets a copy that it may change and return; may be called several times. None: leave it.
            ttl: time to live of the new value; None for ever.

        Returns:
            The record as it now is.

        Raises:
            RecordMissing: no such record.
            Contention: others won every time; nothing was written.
        """
        ...


def record_key(*parts: str) -> str:
    """A key of one or more ids: joined by `/`, `.` written `=`.

    Raises:
        ValueError: when an id holds a character that keys cannot hold.
    """
    return checked_key("/".join(part.replace(".", "=") for part in parts))


def split_key(key: str) -> tuple[str, ...]:
    """The ids that `record_key` joined."""
    return tuple(part.replace("=", ".") for part in key.split("/"))


def checked_key(key: str) -> str:
    """The key itself.

    Raises:
        ValueError: when JetStream would refuse it, or close the connection over it.
    """
    if len(key) > MAX_KEY_CHARACTERS or _KEY.fullmatch(key) is None:
        raise ValueError(f"{key[:64]!r} cannot be a key: use letters, digits, '_', '-', '=' and '/', at most 512")
    return key
