"""Takes uploads in: slots, resuming, taking over, and a thread that writes while the next batch is read."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from gateway.blobs.disk_threads import DiskThreads
from gateway.blobs.patience import Patience
from gateway.blobs.read_ahead import ReadAhead
from gateway.blobs.settings import BlobSettings
from gateway.blobs.store import BlobInfo, BlobStore
from gateway.blobs.stream import UploadStream
from gateway.blobs.upload import Upload, UploadRequest
from gateway.rights import require_project
from headway.contract.errors import SizeMismatch, StreamProtocol, TooManyUploads
from headway.contract.limits import CHUNK_BYTES, MIB
from headway.runtime.clock import Clock
from headway.runtime.principal import current_principal
from headway.v1.blobs_service_pb2 import UploadBlobRequest

_BATCH_MAX_BYTES = MIB
_BATCHES_MAX_BYTES = 24 * MIB
_SWEEP_SECONDS = 3600.0
_TAKE_OVER_SECONDS = 10.0
_COME_BACK_AFTER = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Received:
    """What an upload call led to.

    Attributes:
        info: the blob that is stored now.
        existed: whether it had been there before.
    """

    info: BlobInfo
    existed: bool


@dataclass(eq=False, slots=True)
class _Running:
    upload: Upload
    patience: Patience
    gone: asyncio.Event = field(default_factory=asyncio.Event)


class Uploads:
    """Every upload call of this gateway."""

    def __init__(self, store: BlobStore, threads: DiskThreads, clock: Clock, settings: BlobSettings) -> None:
        """Args: store: prepared before the first call. threads: for all file work. settings: the bounds."""
        self._store = store
        self._threads = threads
        self._clock = clock
        self._settings = settings
        self._num_taken = 0
        self._running: dict[tuple[str, str], list[_Running]] = {}

    @property
    def num_taken(self) -> int:
        """Slots in use."""
        return self._num_taken

    async def receive(self, messages: AsyncIterator[UploadBlobRequest]) -> Received:
        """Take one blob in; returns when it is whole, checked and on disk.

        Raises:
            StreamProtocol, SizeMismatch, InvalidGzip, InvalidDigest: the stream is wrong.
            DigestMismatch: it was another content than announced.
            WrongOffset: it begins elsewhere than where the kept content ends.
            DeadlineExceeded: too little came for too long; what came is kept.
            UploadSuperseded: another call took this upload over.
            TooManyUploads, BlobTooLarge, DiskFull: a limit.
        """
        patience = Patience(self._settings.idle_seconds)
        stream = UploadStream(messages)
        with self._slot():
            async with patience.limit():
                request = await stream.header()
                require_project(current_principal(), request.project)
                info = await self._threads.run(self._find_settled, request)
                if info is not None:
                    return Received(info, existed=True)
                await self._take_over(request)
                upload = Upload(self._store, request)
                with self._listed(request, _Running(upload, patience)):
                    return Received(await self._fill(upload, request, stream, patience), existed=False)

    async def committed_size(self, project: str, digest: str) -> int:
        """Bytes of an unfinished upload that a new call can build on."""
        kept_size = await self._threads.run(self._store.kept_size, project, digest)
        return max([kept_size, *(running.upload.size for running in self._running.get((project, digest), ()))])

    async def sweep_loop(self) -> None:
        """Delete, every hour, what nobody came back for. Never returns."""
        while True:
            oldest = self._clock.now() - timedelta(hours=self._settings.stale_part_hours)
            await self._threads.run(self._store.drop_stale_parts, oldest.timestamp())
            await self._clock.sleep(_SWEEP_SECONDS)

    async def _fill(self, upload: Upload, request: UploadRequest, stream: UploadStream, patience: Patience) -> BlobInfo:
        """Bring the stream's content into the upload's part, and the part into the store."""
        writing = ReadAhead(upload, self._threads)
        try:
            await self._threads.run(upload.begin)
            async for batch in stream.batches(self._batch_bytes(), patience.heard):
                await writing.write(batch)
                patience.renew()
            await writing.drain()
            if stream.num_bytes == 0 and request.size_bytes > request.offset_bytes:
                raise StreamProtocol("no chunk came after the header")
            return await self._threads.run(upload.finish)
        except asyncio.CancelledError:
            # The caller went away or was too slow: the content so far is as good as the next call's beginning.
            # Who takes over has been told a size, though, and goes on from there.
            if await writing.settle():
                rest = [] if patience.is_superseded else stream.take_rest()
                await self._threads.run(upload.interrupt, rest)
            raise
        finally:
            await writing.settle()
            await self._threads.run(upload.abandon)

    async def _take_over(self, request: UploadRequest) -> None:
        """End the running call whose content this one goes on from: its caller has most likely lost it."""
        running = self._running.get((request.project, request.digest), [])
        if request.offset_bytes == 0 or not running:
            return
        if await self._threads.run(self._store.kept_size, request.project, request.digest) == request.offset_bytes:
            return
        furthest = max(running, key=lambda one: one.upload.size)
        furthest.patience.end_now()
        await self._clock.wait_for_event(furthest.gone, _TAKE_OVER_SECONDS)

    def _find_settled(self, request: UploadRequest) -> BlobInfo | None:
        info = self._store.use(request.project, request.digest)
        if info is None:
            return None
        if info.size_bytes != request.size_bytes:
            raise SizeMismatch(f"the blob has {info.size_bytes} bytes, and {request.size_bytes} were declared")
        self._store.settle(request.project, [request.digest])
        return info

    def _batch_bytes(self) -> int:
        """Memory is shared: large batches while few uploads run, small ones when many do."""
        return max(CHUNK_BYTES, min(_BATCH_MAX_BYTES, _BATCHES_MAX_BYTES // self._num_taken))

    @contextmanager
    def _slot(self) -> Iterator[None]:
        limit = self._settings.num_upload_slots
        if self._num_taken >= limit:
            raise TooManyUploads(
                f"{limit} uploads run, which is the limit",
                metadata={"limit": str(limit)},
                retry_after=_COME_BACK_AFTER,
            )
        self._num_taken += 1
        try:
            yield
        finally:
            self._num_taken -= 1

    @contextmanager
    def _listed(self, request: UploadRequest, running: _Running) -> Iterator[None]:
        key = (request.project, request.digest)
        self._running.setdefault(key, []).append(running)
        try:
            yield
        finally:
            running.gone.set()
            self._running[key].remove(running)
            if not self._running[key]:
                del self._running[key]
