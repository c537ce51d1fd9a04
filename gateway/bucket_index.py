"""An in-memory view of one small bucket, so that lists never walk over keys of the store."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from google.protobuf.message import DecodeError, Message

from gateway.store_guard import UNGUARDED, Guard
from headway.contract.errors import StoreUnavailable
from headway.contract.subjects import BucketSpec
from headway.runtime.bus import Bus
from headway.runtime.bus_errors import StreamMissing
from headway.runtime.clock import Clock
from headway.runtime.feeds import LAST_PER_SUBJECT, StreamReplaced
from headway.runtime.feeds import Message as FeedMessage
from headway.runtime.logs import get_logger
from headway.runtime.records import split_key

M = TypeVar("M", bound=Message)

_log = get_logger(__name__)
_READY_SECONDS = 5.0

SecondCopy = Callable[[], Awaitable[list[tuple[str, int, bytes]]]]
"""Tells key, revision and bytes of every record, as they were last seen."""


class BucketIndex(Generic[M]):
    """The newest revision of every record whose key is `project/resource`; longer keys are left out."""

    def __init__(
        self,
        bus: Bus,
        bucket: BucketSpec,
        message_type: type[M],
        clock: Clock,
        *,
        guard: Guard = UNGUARDED,
        copy: SecondCopy | None = None,
    ) -> None:
        """Begin empty.

        Args:
            bus: has the bucket.
            bucket: what to follow.
            message_type: of its values.
            clock: bounds the wait for the first look.
            guard: knows whether the bucket is lost.
            copy: what to show while it is.
        """
        self._guard = guard
        self._copy = copy
        self._bus = bus
        self._bucket = bucket
        self._type = message_type
        self._clock = clock
        self._projects: dict[str, dict[str, tuple[int, M]]] = {}
        self._ready = asyncio.Event()

    async def run(self) -> None:
        """Follow the bucket for ever; begin anew when it was made anew, unless a second copy tells what it held."""
        while not self._guard.is_lost:
            try:
                await self._follow()
            except StreamReplaced:
                self._guard.declare(f"the bucket {self._bucket.name} was made anew, or is an old copy")
                if not self._guard.is_lost:
                    _log.error("a bucket was made anew; its index begins anew", bucket=self._bucket.name)
                    self._projects.clear()
            except StreamMissing:
                if not await self._guard.look():
                    raise
        for key, revision, data in await self._copy() if self._copy is not None else ():
            if len(split_key(key)) == 2:
                self.note(key, self._type.FromString(data), revision)
        self._ready.set()
        await asyncio.Event().wait()

    async def _follow(self) -> None:
        async with self._bus.feed(self._bucket, start=LAST_PER_SUBJECT) as feed:
            if feed.is_caught_up:
                self._ready.set()
            async for message in feed:
                self._take(message)
                if feed.is_caught_up:
                    self._ready.set()

    def note(self, key: str, value: M, revision: int) -> None:
        """Show a write of this gateway at once, before the feed tells of it."""
        project, _, resource_id = key.partition("/")
        if "/" in resource_id:
            return
        entries = self._projects.setdefault(project, {})
        if resource_id not in entries or entries[resource_id][0] < revision:
            entries[resource_id] = (revision, value)

    def revision_of(self, key: str) -> int:
        """The newest revision of a record that is known of; 0 when none is. Does not wait for the first look."""
        project, _, resource_id = key.partition("/")
        found = self._projects.get(project, {}).get(resource_id)
        return found[0] if found is not None else 0

    async def entries(self, project: str) -> list[M]:
        """The project's records, in no order. They are shared: do not change them.

        Raises:
            StoreUnavailable: the bucket has not been read through yet.
        """
        if not await self._clock.wait_for_event(self._ready, _READY_SECONDS):
            raise StoreUnavailable("the list is not complete yet; nats-server does not answer")
        return [value for _, value in self._projects.get(project, {}).values()]

    def _take(self, message: FeedMessage) -> None:
        if len(split_key(message.key)) != 2:
            return
        if message.is_deleted:
            project, _, resource_id = message.key.partition("/")
            self._projects.get(project, {}).pop(resource_id, None)
            return
        try:
            self.note(message.key, self._type.FromString(message.data), message.sequence)
        except DecodeError:
            _log.error("a record cannot be read", bucket=self._bucket.name, key=message.key)
