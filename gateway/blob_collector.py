"""Deletes blobs that no record names any more, such as the files of checkpoints that newer ones have replaced.

A blob goes only when no record of any bucket names it *and* nobody asked for it for days. Between being uploaded and
being named by a record a blob is safe by its age, and whoever relies on one that is there already makes it young again
(`BlobStore.use`). Names are looked for in the bytes of the records, so that a field which is added later counts too.
"""

import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.blobs.disk_threads import DiskThreads
from gateway.blobs.settings import BlobSettings
from gateway.blobs.store import BlobStore
from headway.contract.errors import HeadwayError
from headway.contract.subjects import DATASETS, JOBS, MODELS
from headway.runtime.bus import Bus
from headway.runtime.clock import Clock
from headway.runtime.feeds import LAST_PER_SUBJECT, StreamReplaced, stored
from headway.runtime.logs import get_logger

_log = get_logger(__name__)
_DIGEST = re.compile(rb"sha256:[0-9a-f]{64}")
_NAMING = (JOBS, DATASETS, MODELS)
_FIRST_LOOK_SECONDS = 600.0
_LOOK_SECONDS = 3600.0


def digests_in(data: bytes) -> set[str]:
    """Every digest that a record names, from its bytes: protobuf keeps strings as they are."""
    return {found.decode() for found in _DIGEST.findall(data)}


@dataclass(frozen=True, slots=True)
class BlobCollector:
    """Looks through the store every hour.

    Attributes:
        bus: for the records.
        blobs: what is looked through.
        threads: for the file work.
        clock: for ages and waits.
        settings: how long an unnamed blob stays.
        check_store: raises a HeadwayError when the buckets are not those that the blobs belong to; nothing is deleted
            then, for an empty bucket names nothing.
    """

    bus: Bus
    blobs: BlobStore
    threads: DiskThreads
    clock: Clock
    settings: BlobSettings
    check_store: Callable[[], Awaitable[None]]

    async def run(self) -> None:
        """Collect for ever. A loop of the service."""
        await self.clock.sleep(_FIRST_LOOK_SECONDS)
        while True:
            try:
                await self.collect()
            except (HeadwayError, StreamReplaced, OSError) as error:
                _log.warning("unused blobs stay for now", why=str(error))
            await self.clock.sleep(_LOOK_SECONDS)

    async def collect(self) -> int:
        """Look once; returns how many blobs were deleted.

        Raises:
            HeadwayError: the records cannot be read whole; nothing was deleted.
            StreamReplaced: as HeadwayError.
            OSError: the disk does not answer as it should.
        """
        before = (self.clock.now() - timedelta(hours=self.settings.unused_hours)).timestamp()
        await self.check_store()
        named = await self._named()
        await self.check_store()
        num_deleted, num_bytes = await self.threads.run(self._delete_unused, named, before)
        if num_deleted:
            _log.info("unused blobs deleted", num_blobs=num_deleted, num_bytes=num_bytes)
        return num_deleted

    async def delete_unnamed(
        self, blobs: Iterable[tuple[str, str]], before: datetime, *, leaving: frozenset[str]
    ) -> int:
        """Delete some blobs at once, but for those that a record names or somebody used since `before`.

        Args:
            blobs: project and digest of each.
            before: a moment.
            leaving: ids of jobs whose records are about to vanish; what they name does not count.

        Returns:
            How many were deleted.

        Raises:
            HeadwayError, StreamReplaced, OSError: as `collect`.
        """
        await self.check_store()
        named = await self._named(leaving)
        await self.check_store()
        unnamed = [blob for blob in blobs if blob[1] not in named]
        return await self.threads.run(self._delete_old, unnamed, before.timestamp())

    async def _named(self, leaving: frozenset[str] = frozenset()) -> frozenset[str]:
        named: set[str] = set()
        for bucket in _NAMING:
            async with self.bus.feed(bucket, start=LAST_PER_SUBJECT) as feed:
                async for message in stored(feed):
                    if bucket is not JOBS or message.key not in leaving:
                        named |= digests_in(message.data)
        return frozenset(named)

    def _delete_old(self, blobs: Iterable[tuple[str, str]], before: float) -> int:
        return sum(self._is_deleted(project, digest, before) for project, digest in blobs)

    def _is_deleted(self, project: str, digest: str, before: float) -> bool:
        if self.blobs.last_used(project, digest) >= before:
            return False
        return self.blobs.delete_unused(project, digest, before)

    def _delete_unused(self, named: frozenset[str], before: float) -> tuple[int, int]:
        num_deleted = num_bytes = 0
        for project, info in self.blobs.unused_since(before):
            if info.digest not in named and self.blobs.delete_unused(project, info.digest, before):
                num_deleted += 1
                num_bytes += info.size_bytes
        return num_deleted, num_bytes
