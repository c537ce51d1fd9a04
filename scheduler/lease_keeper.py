"""Takes, renews and gives back the leader lease: the one key of the bucket `leases`, by compare-and-set."""

import asyncio

from google.protobuf.message import DecodeError

from headway.contract.errors import HeadwayError
from headway.contract.subjects import LEASES
from headway.runtime.bus import Bus
from headway.runtime.clock import Clock
from headway.runtime.feeds import LAST_PER_SUBJECT, Message
from headway.runtime.logs import get_logger
from headway.runtime.records import Conflict, RecordExists
from headway.v1.records_pb2 import LeaseRecord
from scheduler.following import follow
from scheduler.leader_lease import KEY, Candidate, LeaderLease

_log = get_logger(__name__)
_RENEWALS_PER_LEASE = 3
_RETRY_SECONDS = 0.25
"""Until the next try when the store did not take a write."""
_FOR_EVER_SECONDS = 3600.0


class LeaseKeeper:
    """One process's hold on the lease."""

    def __init__(self, bus: Bus, clock: Clock, me: Candidate) -> None:
        self.stood_by = asyncio.Event()
        """Set once the lease was seen to be somebody else's, or could not be written: this process may have to wait."""
        self._bus = bus
        self._records = bus.records(LEASES, LeaseRecord)
        self._clock = clock
        self._lease = LeaderLease(me)
        self._caught_up = asyncio.Event()
        self._news = asyncio.Event()
        self._is_retiring = False

    @property
    def leader_address(self) -> str:
        """Of the leader, as its lease names it; empty when nobody leads."""
        return self._lease.leader_address

    @property
    def reign(self) -> int:
        """Number of the newest leader."""
        return self._lease.sighting.record.reign if self._lease.sighting is not None else 0

    def is_held(self) -> bool:
        """Whether this process leads, at this very moment. Asked before each write that only the leader may do."""
        return self._lease.is_held(self._clock.monotonic())

    async def follow(self) -> None:
        """See what the bucket holds, for ever."""
        async with self._bus.feed(LEASES, start=LAST_PER_SUBJECT) as feed:
            await follow(feed, self.take_in, self._caught_up)

    def take_in(self, message: Message) -> None:
        """One revision of the lease; one that cannot be read is nobody's."""
        if message.key != KEY:
            return
        try:
            record = LeaseRecord.FromString(b"" if message.is_deleted else message.data)
        except DecodeError:
            _log.error("the leader lease cannot be read; it counts as free", revision=message.sequence)
            record = LeaseRecord()
        self._see(message.sequence, record)

    async def take(self) -> None:
        """Stand by until the lease is free, and take it."""
        await self._caught_up.wait()
        while True:
            self._news.clear()
            wait_seconds = self._lease.free_at() - self._clock.monotonic()
            if self._is_retiring:
                wait_seconds = _FOR_EVER_SECONDS
            elif wait_seconds <= 0:
                if await self._write(self._lease.next_record()):
                    return
                wait_seconds = _RETRY_SECONDS
            self.stood_by.set()
            await self._clock.wait_for_event(self._news, wait_seconds)

    async def renew(self) -> None:
        """Renew it, for ever; `until_lost` says when that was in vain."""
        beat_seconds = self._lease.me.lease_seconds / _RENEWALS_PER_LEASE
        wait_seconds = beat_seconds
        while True:
            await self._clock.sleep(wait_seconds)
            # After a freeze the newest record may be another's, and to write on top of that were to take it.
            is_renewed = self._lease.is_ours and await self._write(self._lease.next_record())
            wait_seconds = beat_seconds if is_renewed else min(_RETRY_SECONDS, beat_seconds / 2)

    async def until_lost(self) -> None:
        """Wait until the lease is not ours any more, or not for us to keep."""
        while not self._is_retiring and self.is_held():
            self._news.clear()
            await self._clock.wait_for_event(self._news, self._lease.held_until - self._clock.monotonic())
        self._lease.lose()

    def retire(self) -> None:
        """Lead no longer, and never again: `until_lost` returns, and `take` does not."""
        self._is_retiring = True
        self._news.set()

    async def give_back(self) -> None:
        """Free the lease if nobody has taken it, so that a standby need not wait until it is over."""
        self._lease.lose()
        sighting = self._lease.sighting
        if sighting is None or not self._lease.is_ours:
            return
        try:
            await self._records.update(KEY, self._lease.vacant_record(), sighting.revision)
        except (Conflict, HeadwayError) as error:
            _log.warning("leader lease not given back; a standby waits until it is over", why=str(error))

    async def _write(self, record: LeaseRecord) -> bool:
        asked_at = self._clock.monotonic()
        sighting = self._lease.sighting
        try:
            if sighting is not None and sighting.revision:
                revision = await self._records.update(KEY, record, sighting.revision)
            else:
                revision = await self._records.create(KEY, record)
        except (Conflict, RecordExists):
            await self._look()
            return False
        except HeadwayError as error:
            # Whether it was written is unknown; if it was, the feed brings it.
            _log.warning("leader lease not written", why=error.message)
            return False
        self._lease.took(revision, record, asked_at=asked_at)
        return self.is_held()

    async def _look(self) -> None:
        """Somebody else's write is there, or our own whose answer was lost."""
        try:
            stored = await self._records.find(KEY)
        except HeadwayError as error:
            _log.warning("leader lease not read", why=error.message)
            return
        if stored is None:
            self._see(0, LeaseRecord())
        else:
            self._see(stored.revision, stored.value)

    def _see(self, revision: int, record: LeaseRecord) -> None:
        self._lease.see(revision, record, now=self._clock.monotonic())
        self._news.set()
