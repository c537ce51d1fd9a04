"""Follows one small bucket into the gateway's own files, as their second copy."""

import asyncio

from gateway.projection.mirror import Mirror
from gateway.projection.mirror_table import RecordSeen
from gateway.store_guard import Guard
from headway.contract.subjects import BucketSpec
from headway.runtime.bus import Bus
from headway.runtime.bus_errors import StreamMissing
from headway.runtime.feeds import StreamReplaced

_GATHER_SECONDS = 0.1


class MirrorFeed:
    """The loop that follows one bucket."""

    def __init__(self, bus: Bus, bucket: BucketSpec, mirror: Mirror, guard: Guard) -> None:
        """Args: bus, bucket: what to follow. mirror: keeps it. guard: hears when the bucket is another one."""
        self._bus = bus
        self._bucket = bucket
        self._mirror = mirror
        self._guard = guard

    async def run(self) -> None:
        """Follow for ever; stand still once the store is lost, so that the second copy stays as it is."""
        try:
            if not self._guard.is_lost and await self._is_known():
                await self._follow()
        except (StreamReplaced, StreamMissing):
            self._guard.declare(f"the bucket {self._bucket.name} was made anew, or is an old copy")
        await asyncio.Event().wait()

    async def _is_known(self) -> bool:
        """Whether the bucket is the one that the copy is of, or the copy is new."""
        created, last_sequence = await self._mirror.position(self._bucket.name)
        state = await self._bus.stream_state(self._bucket)
        if created is None or (created == state.created and last_sequence <= state.last_sequence):
            return True
        self._guard.declare(f"the bucket {self._bucket.name} was made anew, or is an old copy")
        return False

    async def _follow(self) -> None:
        state = await self._bus.stream_state(self._bucket)
        start = await self._mirror.begin(self._bucket.name, state.created)
        async with self._bus.feed(self._bucket, start=start, gather_seconds=_GATHER_SECONDS) as feed:
            async for message in feed:
                data = None if message.is_deleted else message.data
                self._mirror.offer(RecordSeen(self._bucket.name, message.key, message.sequence, data))
