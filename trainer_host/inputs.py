"""An attempt's inputs: fetched from the gateway by digest, unless they are here."""

import asyncio
import errno
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from headway.contract.errors import Code, DigestMismatch
from headway.runtime.blobs.blob_file import BlobFile
from headway.runtime.blobs.downloads import download
from headway.runtime.clock import Clock
from headway.runtime.logs import get_logger
from headway.runtime.remote_error import RemoteError
from headway.v1.jobs_pb2 import FAILURE_CLASS_FATAL, FAILURE_CLASS_TRANSIENT, PinnedInput
from trainer_host.attempt_failure import AttemptFailed
from trainer_host.child_messages import InputFile
from trainer_host.input_cache import InputCache
from trainer_host.retries import Pace, retrying

if TYPE_CHECKING:
    # The stubs of grpc.aio exist for type checkers only.
    from headway.v1.blobs_service_pb2_grpc import BlobServiceAsyncStub

_log = get_logger(__name__)
_FINAL = frozenset({Code.NOT_FOUND, Code.INVALID_ARGUMENT, Code.UNIMPLEMENTED})


class Inputs:
    """Fetches what attempts read. One file is fetched once, however many attempts wait for it."""

    def __init__(self, cache: InputCache, blobs: "BlobServiceAsyncStub", clock: Clock, pace: Pace) -> None:
        self._cache = cache
        self._blobs = blobs
        self._clock = clock
        self._pace = pace
        self._fetching: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def held(self, parent: str, pinned: Sequence[PinnedInput]) -> AsyncIterator[tuple[InputFile, ...]]:
        """The inputs as files that stay for the length of the block.

        Args:
            parent: `projects/{project}` that the inputs belong to.
            pinned: what the order names.

        Raises:
            AttemptFailed: INPUT_MISSING when the gateway has no such blob, INPUT_UNAVAILABLE when it could not be
                fetched within the limit, HOST_DISK_FULL.
        """
        for item in pinned:
            self._cache.hold(item.digest)
        try:
            yield tuple([_file(item, await self._path(parent, item)) for item in pinned])
        finally:
            for item in pinned:
                self._cache.let_go(item.digest)

    async def _path(self, parent: str, item: PinnedInput) -> Path:
        async with self._fetching.setdefault(item.digest, asyncio.Lock()):
            found = await asyncio.to_thread(self._cache.find, item.digest, item.size_bytes)
            try:
                return found or await self._fetch(parent, item)
            except RemoteError as error:
                raise _failure_of(error, item) from error
            except DigestMismatch as error:
                raise AttemptFailed(FAILURE_CLASS_TRANSIENT, "INPUT_UNAVAILABLE", error.message) from error
            except OSError as error:
                raise _disk_failure(error) from error

    async def _fetch(self, parent: str, item: PinnedInput) -> Path:
        await asyncio.to_thread(self._cache.make_room, item.size_bytes)
        part = BlobFile(self._cache.part_path(item.digest), item.digest, item.size_bytes)
        async for attempt in retrying("fetching an input", self._clock, self._pace, _may_pass):
            with attempt:
                await download(self._blobs, parent, part)
                return await asyncio.to_thread(self._cache.adopt, item.digest)
        raise AssertionError("the retry loop returns or raises")


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, DigestMismatch) or (isinstance(error, RemoteError) and error.code not in _FINAL)


def _failure_of(error: RemoteError, item: PinnedInput) -> AttemptFailed:
    if error.code in _FINAL:
        message = f"the gateway does not have the input {item.role or item.digest}: {error.message}"
        return AttemptFailed(FAILURE_CLASS_FATAL, "INPUT_MISSING", message)
    message = f"the input {item.role or item.digest} could not be fetched: {error.message}"
    return AttemptFailed(FAILURE_CLASS_TRANSIENT, "INPUT_UNAVAILABLE", message)


def _disk_failure(error: OSError) -> AttemptFailed:
    reason = "HOST_DISK_FULL" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "HOST_DISK_ERROR"
    return AttemptFailed(FAILURE_CLASS_TRANSIENT, reason, f"the host could not keep an input: {error.strerror}")


def _file(item: PinnedInput, path: Path) -> InputFile:
    return InputFile(
        role=item.role,
        path=str(path),
        digest=item.digest,
        size_bytes=item.size_bytes,
        format=item.format,
        dataset=item.dataset,
        version=item.version,
        file_name=item.file_name,
    )
