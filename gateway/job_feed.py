"""Follows the jobs bucket and tells everybody in the gateway who keeps something of it. One consumer a gateway."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from google.protobuf.message import DecodeError

from gateway.projection.rows import JobSeen
from gateway.projection.view import AnotherStream, Projection
from gateway.queue_depth import QueueDepth
from gateway.store_guard import UNGUARDED, Guard
from headway.contract.subjects import JOBS
from headway.runtime.bus import Bus
from headway.runtime.bus_errors import StreamMissing
from headway.runtime.feeds import Message, StreamReplaced
from headway.runtime.logs import get_logger
from headway.v1.records_pb2 import JobRecord

_log = get_logger(__name__)

GATHER_SECONDS = 0.01
"""How long revisions gather while many come; the first after a silence is told at once."""


class JobListener(Protocol):
    """Somebody who keeps something of each job."""

    def saw(self, seen: JobSeen) -> None:
        """Take note of a revision; called in the order of the bucket's stream, and never blocks."""
        ...


class JobFeed:
    """The loop that follows the bucket."""

    def __init__(
        self,
        bus: Bus,
        projection: Projection,
        queue: QueueDepth,
        listeners: Sequence[JobListener],
        guard: Guard = UNGUARDED,
    ) -> None:
        """Name what is told.

        Args:
            bus: has the bucket.
            projection: keeps the rows.
            queue: counts the queued jobs.
            listeners: hear each revision.
            guard: hears when the bucket is another one.
        """
        self._bus = bus
        self._guard = guard
        self._projection = projection
        self._queue = queue
        self._listeners = (queue, *listeners)

    async def run(self) -> None:
        """Follow for ever. When the bucket was made anew, stand still: the rows are the second copy of what it held."""
        if not self._guard.is_lost:
            try:
                await self._begin_and_follow()
            except (AnotherStream, StreamReplaced, StreamMissing):
                self._guard.declare("the bucket jobs was made anew, or is an old copy")
        await self._projection.flush()
        self._projection.stand_still()
        self._queue.load(await self._projection.queued())
        await asyncio.Event().wait()

    async def _begin_and_follow(self) -> None:
        state = await self._bus.stream_state(JOBS)
        start = await self._projection.begin(state.created)
        # What was acknowledged before this process began, by whatever gateway, is part of every list.
        self._projection.note_write(state.last_sequence)
        self._queue.load(await self._projection.queued())
        await self._follow(start, state.last_sequence)

    async def _follow(self, start: int, last_sequence: int) -> None:
        async with self._bus.feed(JOBS, start=start, gather_seconds=GATHER_SECONDS) as feed:
            if feed.is_caught_up:
                self._projection.saw_everything_until(last_sequence)
            async for message in feed:
                self._tell(_seen(message))
                if self._projection.is_crowded:
                    await self._projection.flush()

    def _tell(self, seen: JobSeen) -> None:
        self._projection.offer(seen)
        for listener in self._listeners:
            listener.saw(seen)


def _seen(message: Message) -> JobSeen:
    return JobSeen(message.key, message.sequence, _record(message), message.data)


def _record(message: Message) -> JobRecord | None:
    if message.is_deleted:
        return None
    try:
        return JobRecord.FromString(message.data)
    except DecodeError:
        # Somebody else wrote into the bucket. One bad record must not hide the others.
        _log.error("a record cannot be read", job=message.key, sequence=message.sequence)
        return None
