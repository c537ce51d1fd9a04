"""Finds what an attempt goes on from: a checkpoint on this host, or the job's committed one, whichever is further."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from headway.contract.errors import Code, DigestMismatch
from headway.contract.recipes import CheckpointUnusable
from headway.runtime.blobs.blob_file import BlobFile
from headway.runtime.blobs.downloads import download
from headway.runtime.clock import Clock
from headway.runtime.remote_error import RemoteError
from headway.v1.jobs_pb2 import FAILURE_CLASS_TRANSIENT, Checkpoint
from headway.v1.scheduler_service_pb2 import AttemptOrder
from trainer_host.attempt_failure import AttemptFailed
from trainer_host.attempt_key import AttemptKey
from trainer_host.checkpoint_files import PART_PREFIX, Wanted, name_of, open_checkpoint
from trainer_host.checkpoint_store import CheckpointStore
from trainer_host.files import make_directory, remove_tree
from trainer_host.retries import Pace, retrying

if TYPE_CHECKING:
    # The stubs of grpc.aio exist for type checkers only.
    from headway.v1.blobs_service_pb2_grpc import BlobServiceAsyncStub

_MISSING = frozenset({Code.NOT_FOUND, Code.INVALID_ARGUMENT, Code.UNIMPLEMENTED, Code.DATA_LOSS})
"""The gateway does not have it, or not as it was sent: asking again helps nobody."""
_DAMAGED_TRIES = 3
"""Bytes that arrive damaged may have been damaged on the way; three times alike they lie so."""

Skipped = Callable[[str], None]
"""Told, in a sentence, of each checkpoint that is not gone on from."""


class CheckpointFetch:
    """Brings the checkpoint of an order onto this host."""

    def __init__(self, store: CheckpointStore, blobs: "BlobServiceAsyncStub", clock: Clock, pace: Pace) -> None:
        self._store = store
        self._blobs = blobs
        self._clock = clock
        self._pace = pace

    async def find(self, order: AttemptOrder, on_skipped: Skipped) -> tuple[Path, ...]:
        """Checkpoints on this host that are whole and of this job, the furthest first; empty to begin anew.

        Raises:
            AttemptFailed: CHECKPOINT_UNAVAILABLE: the gateway has one, and it could not be fetched within the limit; or
                HOST_DISK_ERROR. Another attempt may fare better, and beginning anew would cost what was trained.
        """
        wanted = Wanted.of(order.job, order.kind, order.spec)
        found = await self._local(order, wanted, on_skipped)
        for committed in (order.checkpoint, order.previous_checkpoint):
            if not committed.HasField("bundle") or committed.step <= max(found, default=-1):
                break
            folder = await self._committed(order, committed, wanted, on_skipped)
            if folder is not None:
                found[committed.step] = folder
        return tuple(found[step] for step in sorted(found, reverse=True))

    async def _local(self, order: AttemptOrder, wanted: Wanted, on_skipped: Skipped) -> dict[int, Path]:
        found: dict[int, Path] = {}
        for folder in await asyncio.to_thread(self._store.newest_first, AttemptKey.of(order)):
            try:
                checkpoint = await asyncio.to_thread(open_checkpoint, folder, wanted)
            except CheckpointUnusable as error:
                on_skipped(f"the checkpoint {folder.name} on this host is skipped: {error}")
                await asyncio.to_thread(remove_tree, folder)
            else:
                found.setdefault(checkpoint.step, folder)
        return found

    async def _committed(
        self, order: AttemptOrder, checkpoint: Checkpoint, wanted: Wanted, on_skipped: Skipped
    ) -> Path | None:
        """One that the gateway has; None when it is not good."""
        try:
            return await self._fetch(order, checkpoint, wanted)
        except (CheckpointUnusable, DigestMismatch) as error:
            why = str(error)
        except RemoteError as error:
            if error.code not in _MISSING:
                message = f"the checkpoint of step {checkpoint.step} could not be fetched: {error.message}"
                raise AttemptFailed(FAILURE_CLASS_TRANSIENT, "CHECKPOINT_UNAVAILABLE", message) from error
            why = error.message
        except OSError as error:
            message = f"the host could not keep a checkpoint: {error.strerror}"
            raise AttemptFailed(FAILURE_CLASS_TRANSIENT, "HOST_DISK_ERROR", message) from error
        on_skipped(f"the committed checkpoint of step {checkpoint.step} is skipped: {why}")
        return None

    async def _fetch(self, order: AttemptOrder, checkpoint: Checkpoint, wanted: Wanted) -> Path:
        key, name = AttemptKey.of(order), name_of(checkpoint.step, checkpoint.attempt)
        root = await asyncio.to_thread(self._store.folder_of, key)
        part = root / f"{PART_PREFIX}fetched-{name}"
        await asyncio.to_thread(remove_tree, part)
        for artifact in checkpoint.bundle.artifacts:
            path = Path(artifact.path)
            if path.is_absolute() or ".." in path.parts:
                raise CheckpointUnusable("it names a file outside of its folder")
            make_directory((part / path).parent)
            await self._download(key.parent, BlobFile(part / path, artifact.digest, artifact.size_bytes))
        # Its files are those of their digests. Whether they are a checkpoint of this job is another question.
        found = await asyncio.to_thread(open_checkpoint, part, wanted)
        final = root / name
        await asyncio.to_thread(remove_tree, final)
        found.folder.rename(final)
        return final

    async def _download(self, parent: str, file: BlobFile) -> None:
        tries = _Tries()
        async for attempt in retrying("fetching a checkpoint", self._clock, self._pace, tries.may_pass):
            with attempt:
                await download(self._blobs, parent, file)


class _Tries:
    """How often a file arrived damaged."""

    def __init__(self) -> None:
        self._num_left = _DAMAGED_TRIES

    def may_pass(self, error: BaseException) -> bool:
        """Whether to try again."""
        if isinstance(error, DigestMismatch):
            self._num_left -= 1
            return self._num_left > 0
        return isinstance(error, RemoteError) and error.code not in _MISSING
