"""The one loop that reads a record, decides and writes it back on the revision that was read."""

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Protocol, TypeVar

from google.protobuf.message import Message

from headway.contract.errors import Contention
from headway.runtime.clock import Clock
from headway.runtime.records import Conflict, Stored, TimeToLive

M = TypeVar("M", bound=Message)

MAX_TRIES = 16
_FIRST_WAIT_SECONDS = 0.005
_LONGEST_WAIT_SECONDS = 0.25


class ReadsAndUpdates(Protocol[M]):
    """The two methods of `Records` that the loop needs."""

    async def get(self, key: str) -> Stored[M]:
        """The newest revision."""
        ...

    async def update(self, key: str, value: M, revision: int, *, ttl: timedelta | None = None) -> int:
        """Replace the revision that was read."""
        ...


async def change_record(
    records: ReadsAndUpdates[M],
    key: str,
    decide: Callable[[M], M | None],
    *,
    ttl: TimeToLive[M] | None,
    clock: Clock,
) -> Stored[M]:
    """Read, decide, write, until the write meets the revision that was read.

    The waits between tries are random, so that writers who met once do not meet again.

    Args:
        records: the bucket.
        key: of an existing record.
        decide: pure; gets a copy of its own.
        ttl: time to live of the new value.
        clock: for the waits.

    Raises:
        RecordMissing: no such record.
        Contention: 16 writers in a row were faster.
    """
    for tried in range(MAX_TRIES):
        stored = await records.get(key)
        # A copy, because `decide` may change it before it says no.
        draft = type(stored.value)()
        draft.CopyFrom(stored.value)
        value = decide(draft)
        if value is None:
            return stored
        try:
            revision = await records.update(key, value, stored.revision, ttl=ttl(value) if ttl else None)
        except Conflict:
            longest = min(_LONGEST_WAIT_SECONDS, _FIRST_WAIT_SECONDS * 2.0**tried)
            await clock.sleep(random.uniform(longest / 4, longest))
            continue
        return Stored(key, value, revision, clock.now())
    raise Contention(f"the record {key} changed under {MAX_TRIES} tries; try again", metadata={"key": key})
