"""One attempt's checkpoints on their way to the gateway, while the attempt trains on.

Only the newest counts: one that waits, or that cannot be delivered, is dropped for the next. Nothing here ever stops a
training; what the gateway does not have is still on this host.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from headway.contract.errors import Code
from headway.runtime.clock import Clock
from headway.runtime.failpoints import failpoints_around
from headway.runtime.logs import get_logger
from headway.runtime.remote_error import RemoteError, answer
from headway.v1.jobs_pb2 import Artifact, Bundle
from headway.v1.results_service_pb2 import CommitCheckpointRequest
from trainer_host.attempt_key import AttemptKey
from trainer_host.checkpoint_store import CheckpointStore
from trainer_host.child_messages import Saved
from trainer_host.retries import Pace
from trainer_host.uploads import Uploads

if TYPE_CHECKING:
    # The stubs of grpc.aio exist for type checkers only.
    from headway.v1.results_service_pb2_grpc import ResultServiceAsyncStub

_log = get_logger(__name__)
_COMMIT_SECONDS = 30.0
_UNWANTED = frozenset({"STALE_ATTEMPT", "CANCELLED", "ALREADY_SAVED"})
_REFUSALS_NEEDED = 3
"""The gateway may hear of a claim later than the host: one STALE_ATTEMPT means nothing."""


class CheckpointUploads:
    """Delivers the newest checkpoint of one attempt."""

    def __init__(
        self,
        key: AttemptKey,
        host: str,
        *,
        uploads: Uploads,
        results: "ResultServiceAsyncStub",
        store: CheckpointStore,
        clock: Clock,
        pace: Pace,
    ) -> None:
        self._key = key
        self._host = host
        self._uploads = uploads
        self._results = results
        self._store = store
        self._clock = clock
        self._pace = pace
        self._newest: Saved | None = None
        self._sending: Saved | None = None
        self._news = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self.committed_step = 0
        """Of the newest checkpoint of this attempt that the gateway has taken."""

    def note(self, saved: Saved) -> None:
        """Take note of a checkpoint that lies in the store; an older one that waits is dropped for it."""
        self._newest = saved
        self._idle.clear()
        self._news.set()
        # At once, and not when the one on its way has arrived: a gateway that hangs must not fill the disk.
        asyncio.get_running_loop().run_in_executor(None, self.prune)

    async def settle(self, limit_seconds: float) -> bool:
        """Wait until the newest is delivered, or given up; False when that takes longer than the limit."""
        return await self._clock.wait_for_event(self._idle, limit_seconds)

    async def run(self) -> None:
        """Deliver until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            saved, self._newest = self._newest, None
            if saved is not None:
                self._sending = saved
                await self._deliver(saved)
                self._sending = None
            if self._newest is None:
                self._idle.set()

    def prune(self) -> None:
        """Delete older checkpoints, but for the one on its way. Blocks."""
        sending = self._sending
        self._store.prune(self._key, () if sending is None else (Path(sending.folder),))

    async def _deliver(self, saved: Saved) -> None:
        """Return when the gateway has it, refuses it, or there is a newer one."""
        num_tries = 0
        while self._newest is None:
            num_tries += 1
            try:
                await self._try_once(saved)
            except (RemoteError, OSError) as error:
                if not _may_pass(error, num_tries):
                    _log.warning("a checkpoint is not taken", step=saved.step, error=str(error))
                    return
                _log.info("a checkpoint waits for the gateway", step=saved.step, error=str(error), num_tries=num_tries)
                await self._clock.wait_for_event(self._news, self._pace.wait_seconds(num_tries, error))
            else:
                self.committed_step = saved.step
                return

    async def _try_once(self, saved: Saved) -> None:
        bundle = Bundle(
            digest=saved.manifest_digest, artifacts=[Artifact(**file.model_dump()) for file in saved.artifacts]
        )
        with failpoints_around("checkpoint.upload"):
            await self._uploads.send_bundle(self._key.parent, bundle, Path(saved.folder))
        request = CommitCheckpointRequest(
            job=self._key.job, attempt=self._key.attempt, host=self._host, step=saved.step, bundle=bundle
        )
        await answer(self._results.CommitCheckpoint(request, timeout=_COMMIT_SECONDS))
        _log.info("checkpoint committed", step=saved.step)


NewCheckpointUploads = Callable[[AttemptKey], CheckpointUploads]


def _may_pass(error: RemoteError | OSError, num_tries: int) -> bool:
    if isinstance(error, OSError):
        return False
    if error.code is Code.INVALID_ARGUMENT or error.reason in _UNWANTED:
        return num_tries < _REFUSALS_NEEDED
    return True
