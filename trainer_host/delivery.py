"""One finished result's way from the outbox into the gateway, tried for as long as it takes."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from headway.contract.errors import Code
from headway.runtime.blobs.blob_file import digest_of_file
from headway.runtime.clock import Clock
from headway.runtime.failpoints import failpoint, failpoints_around
from headway.runtime.logs import get_logger
from headway.runtime.remote_error import RemoteError, answer
from headway.v1.jobs_pb2 import Bundle
from headway.v1.results_service_pb2 import CommitResultRequest, CommitResultResponse
from trainer_host.outbox import OutboxEntry
from trainer_host.retries import Pace, retrying
from trainer_host.uploads import Uploads, blames_the_bytes

if TYPE_CHECKING:
    # The stubs of grpc.aio exist for type checkers only.
    from headway.v1.results_service_pb2_grpc import ResultServiceAsyncStub

_log = get_logger(__name__)
_COMMIT_SECONDS = 30.0
_REFUSALS = frozenset({"STALE_ATTEMPT", "CANCELLED", "ALREADY_SAVED"})
_REJECTIONS_NEEDED = 3
"""A flipped bit on a plain link makes a good request a bad one. Three answers alike are no accident."""


class Verdict(Enum):
    """What became of a result; each is final."""

    COMMITTED = "committed"
    """It is the job's result, by this call or by an earlier one."""
    REFUSED = "refused"
    """The job does not want it any more: it was cancelled, moved, or has a result."""
    REJECTED = "rejected"
    """The gateway will never take this bundle."""
    CORRUPT = "corrupt"
    """The files on this disk are not what was written; training again is the only cure."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """The end of a delivery.

    Attributes:
        verdict: what became of the result.
        reason: the gateway's word; empty when it was committed.
        message: a sentence for people.
    """

    verdict: Verdict
    reason: str = ""
    message: str = ""


class Delivery:
    """Delivers results, one call each; keeps nothing between calls."""

    def __init__(self, uploads: Uploads, results: "ResultServiceAsyncStub", clock: Clock, pace: Pace) -> None:
        self._uploads = uploads
        self._results = results
        self._clock = clock
        self._pace = pace

    async def deliver(self, entry: OutboxEntry, before_commit: Callable[[], Awaitable[None]]) -> Delivered:
        """Upload what the gateway lacks and commit, again and again, until there is a final answer.

        Args:
            entry: the result, in the outbox.
            before_commit: awaited once the bytes are there, such as to let the last log lines arrive first.
        """
        tries = _Tries(entry)
        async for attempt in retrying("delivering a result", self._clock, self._pace, tries.may_pass):
            with attempt:
                return await self._try_once(entry, before_commit, tries)
        raise AssertionError("the retry loop returns or raises")

    async def _try_once(
        self, entry: OutboxEntry, before_commit: Callable[[], Awaitable[None]], tries: "_Tries"
    ) -> Delivered:
        request = entry.request
        try:
            with failpoints_around("delivery.upload"):
                await self._uploads.send_bundle(entry.key.parent, request.bundle, entry.bundle_dir)
        except RemoteError as error:
            if error.reason == "BLOB_TOO_LARGE":
                return Delivered(Verdict.REJECTED, error.reason, error.message)
            if blames_the_bytes(error) and await asyncio.to_thread(_is_damaged, request.bundle, entry.bundle_dir):
                return _corrupt()
            raise
        except FileNotFoundError:
            return _corrupt()
        await before_commit()
        try:
            done = await self._commit(request)
        except RemoteError as error:
            return tries.judge(error)
        _log.info("result committed", model_version=done.model_version, disposition=done.disposition)
        return Delivered(Verdict.COMMITTED)

    async def _commit(self, request: CommitResultRequest) -> CommitResultResponse:
        done = await answer(self._results.CommitResult(request, timeout=_COMMIT_SECONDS))
        failpoint("save.s7.after")
        return done


class _Tries:
    """What the answers to one result were so far."""

    def __init__(self, entry: OutboxEntry) -> None:
        self._entry = entry
        self._num_rejections = 0

    def judge(self, error: RemoteError) -> Delivered:
        """The end that an answer to CommitResult means; raises it again when another try may help."""
        if error.code is Code.FAILED_PRECONDITION and error.reason in _REFUSALS:
            return Delivered(Verdict.REFUSED, error.reason, error.message)
        if error.code is Code.INVALID_ARGUMENT:
            self._num_rejections += 1
            if self._num_rejections >= _REJECTIONS_NEEDED:
                return Delivered(Verdict.REJECTED, error.reason, error.message)
        raise error

    def may_pass(self, error: BaseException) -> bool:
        """Whatever the gateway or the disk says short of a final answer, the result is kept and tried again."""
        return isinstance(error, RemoteError | OSError)


def _is_damaged(bundle: Bundle, folder: Path) -> bool:
    return any(digest_of_file(folder / artifact.path) != artifact.digest for artifact in bundle.artifacts)


def _corrupt() -> Delivered:
    return Delivered(Verdict.CORRUPT, "RESULT_DAMAGED", "the result was damaged on the host's disk")
