"""Knows whether the store is the one that this gateway's records are in. While it is not, nothing is written.

An empty JetStream store looks like that of a new installation. The gateway knows better: its own files say which store
they belong to. Then reads are answered from these files, every write is refused with STORE_LOST, and nothing of them is
thrown away until a person has decided (`headway recover`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from headway.contract.errors import Code, HeadwayError


class StoreLost(HeadwayError):
    """The JetStream store is not the one that the gateway's records were in; reads go on, nothing is written."""

    reason = "STORE_LOST"
    code = Code.FAILED_PRECONDITION


@dataclass(frozen=True, slots=True)
class Place:
    """How far a bucket is, or was when it was last seen.

    Attributes:
        created: when its stream was made; None when there is none, or none was met yet.
        last_sequence: of the newest record.
    """

    created: datetime | None = None
    last_sequence: int = 0


@dataclass(frozen=True, slots=True)
class StoreFacts:
    """What a store says of itself, or what the gateway's own files say of the one that they met.

    Attributes:
        store_id: empty when it has none, or none was met yet.
        places: of its buckets, by name.
    """

    store_id: str = ""
    places: Mapping[str, Place] = field(default_factory=dict)


def why_lost(known: StoreFacts, found: StoreFacts) -> str:
    """Why the store found is not the one that is known; empty when it is, or when none is known yet."""
    if known.store_id and not found.store_id:
        return "it is empty: it does not say which store it is"
    if known.store_id and found.store_id != known.store_id:
        return "it is another store than the one that this gateway's records were in"
    for bucket, before in known.places.items():
        now = found.places.get(bucket, Place())
        if before.created is not None and now.created != before.created:
            return f"the bucket {bucket} was made anew"
        if now.last_sequence < before.last_sequence:
            return f"the bucket {bucket} is an old copy: it ends at {now.last_sequence}, not {before.last_sequence}"
    return ""


class Guard(Protocol):
    """What those need who read or write records."""

    @property
    def is_lost(self) -> bool:
        """Whether the store is known to be lost."""
        ...

    def check(self) -> None:
        """Refuse a write while the store is lost (StoreLost)."""
        ...

    async def look(self) -> bool:
        """Ask the store anew; returns whether it is lost. Raises StoreUnavailable when it does not answer."""
        ...

    def declare(self, why: str) -> None:
        """Somebody has seen that the store is lost."""
        ...


class Unguarded:
    """A store that is never lost, for those who have no second copy to compare it with."""

    is_lost = False

    def check(self) -> None:
        """Every write is welcome."""

    async def look(self) -> bool:
        """It is not lost."""
        return False

    def declare(self, why: str) -> None:
        """Nothing follows from it."""


UNGUARDED = Unguarded()


def store_lost(why: str) -> StoreLost:
    """The error, with what to do."""
    return StoreLost(
        f"the JetStream store has lost the records: {why}. Reads go on, and nothing is written: stop headway and run "
        "`headway recover`, which brings the records back from the gateway's own files",
        metadata={"remedy": "headway recover"},
    )
