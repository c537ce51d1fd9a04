"""Follows the jobs bucket and tells everybody in the gateway who keeps something of it. One consumer a gateway."""

from collections.abc import Sequence
from typing import Protocol

from google.protobuf.message import DecodeError

from gateway.projection.rows import JobSeen
from gateway.projection.view import Projection
from gateway.queue_depth import QueueDepth
from headway.contract.subjects import JOBS
from headway.runtime.bus import Bus
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

    def __init__(self, bus: Bus, projection: Projection, queue: QueueDepth, listeners: Sequence[JobListener]) -> None:
        self._bus = bus
        self._projection = projection
        self._queue = queue
        self._listeners = (queue, *listeners)

    async def run(self) -> None:
        """Follow for ever; begin anew when the bucket was made anew."""
        while True:
            state = await self._bus.stream_state(JOBS)
            start = await self._projection.begin(state.created)
            # What was acknowledged before this process began, by whatever gateway, is part of every list.
            self._projection.note_write(state.last_sequence)
            self._queue.load(await self._projection.queued())
            try:
                await self._follow(start, state.last_sequence)
            except StreamReplaced:
                _log.error("the jobs bucket was made anew; the projection follows it from its beginning")

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
