"""Whether there is room for more jobs: looked at every second, so that a full disk is told before anything is written.

Jobs that were accepted go on until the last byte: only what is new is refused, while there is still room for what the
jobs at hand will write. That keeps nats-server away from the end of its disk, where it stores nothing more until it is
restarted (P28).
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from headway.contract.errors import DiskFull, HeadwayError, StoreUnavailable
from headway.contract.limits import MIB
from headway.contract.subjects import JOBS, BucketSpec, StreamSpec
from headway.runtime.bus import StreamState
from headway.runtime.clock import Clock
from headway.runtime.disk import free_bytes
from headway.runtime.durability import Ailment, find_ailment, store_folder
from headway.runtime.jetstream import JetStreamError
from headway.runtime.logs import get_logger

_log = get_logger(__name__)

DISK_SECONDS = 1.0
"""Between two looks at the disks; a system call each."""

STORE_SECONDS = 5.0
"""Between two questions to nats-server; as often as at the disks while it is in trouble."""

BUCKET_SHARE = 0.9
"""Of the jobs bucket that new jobs may fill; records grow, and the rest is for those that are in it."""

RETRY_AFTER = timedelta(seconds=30)
"""Room is made by people, or by training that ends."""


class States(Protocol):
    """Knows how full a bucket is."""

    async def stream_state(self, stream: StreamSpec | BucketSpec) -> StreamState:
        """The state of a bucket."""
        ...


@dataclass(frozen=True, slots=True)
class Found:
    """What was found.

    Attributes:
        free_bytes: on the fullest of the disks; None when none could be looked at.
        bucket_bytes: what the jobs bucket holds.
        bucket_max_bytes: its bound; 0 when it has none.
        ailment: why nats-server stores nothing; None when it stores.
    """

    free_bytes: int | None = None
    bucket_bytes: int = 0
    bucket_max_bytes: int = 0
    ailment: Ailment | None = None


def refusal_of(found: Found, min_free_bytes: int) -> HeadwayError | None:
    """Why no new job can be taken; None when one can."""
    if found.ailment is Ailment.FAILING_DISK:
        return StoreUnavailable("the disk of nats-server is failing; see its log, mend the disk, then restart it")
    if found.ailment is Ailment.NO_ROOM:
        return _full("the disk of nats-server is full; free some, then restart it", "nats-server")
    if found.free_bytes is not None and found.free_bytes < min_free_bytes:
        return _full(
            f"less than {min_free_bytes // MIB} MiB are free on the gateway's disk; free some, then try again",
            "gateway",
        )
    if found.bucket_max_bytes and found.bucket_bytes > BUCKET_SHARE * found.bucket_max_bytes:
        return _full(f"the bucket of jobs is full: its bound is {found.bucket_max_bytes} bytes", "jobs bucket")
    return None


def _full(message: str, place: str) -> DiskFull:
    return DiskFull(f"{message}. Nothing was acknowledged", metadata={"place": place}, retry_after=RETRY_AFTER)


class Room:
    """What was found last, and the loop that looks again."""

    def __init__(
        self, folders: Sequence[Path], states: States, clock: Clock, *, monitor_url: str = "", min_free_mib: int
    ) -> None:
        """Look at nothing yet.

        Args:
            folders: on each disk that the gateway writes to.
            states: says how full the jobs bucket is.
            clock: for the time between looks.
            monitor_url: of nats-server; its disk is looked at too when it is one of this machine's. Empty: not asked.
            min_free_mib: what new jobs must leave free.
        """
        self._folders = list(folders)
        self._states = states
        self._clock = clock
        self._monitor_url = monitor_url
        self._min_free_bytes = min_free_mib * MIB
        self._found = Found()
        self._refusal: HeadwayError | None = None

    async def prime(self) -> None:
        """Look once, before the first call."""
        if self._monitor_url:
            try:
                folder = await store_folder(self._monitor_url)
            except StoreUnavailable:
                folder = None
            if folder is not None:
                self._folders.append(folder)
        await self._look(is_store_due=True)

    async def watch(self) -> None:
        """Look again and again. A loop of the service."""
        next_store_seconds = self._clock.monotonic() + STORE_SECONDS
        while True:
            await self._clock.sleep(DISK_SECONDS)
            is_store_due = self._refusal is not None or self._clock.monotonic() >= next_store_seconds
            await self._look(is_store_due=is_store_due)
            if is_store_due:
                next_store_seconds = self._clock.monotonic() + STORE_SECONDS

    def check(self) -> None:
        """Return when there is room for another job.

        Raises:
            DiskFull: there is none.
            StoreUnavailable: the disk of nats-server is failing.
        """
        if self._refusal is not None:
            # Made anew for each caller: an exception that is raised again and again collects their frames.
            told = refusal_of(self._found, self._min_free_bytes)
            if told is not None:
                raise told

    async def _look(self, *, is_store_due: bool) -> None:
        found = replace(self._found, free_bytes=await asyncio.to_thread(_least_free, self._folders))
        if is_store_due:
            found = await self._with_store(found)
        self._note(found)

    async def _with_store(self, found: Found) -> Found:
        ailment = await find_ailment(self._monitor_url) if self._monitor_url else None
        found = replace(found, ailment=ailment)
        try:
            state = await self._states.stream_state(JOBS)
        except (StoreUnavailable, JetStreamError):
            # It is away, which every caller will hear from it.
            return found
        return replace(found, bucket_bytes=state.num_bytes, bucket_max_bytes=state.max_bytes)

    def _note(self, found: Found) -> None:
        before, self._refusal = self._refusal, refusal_of(found, self._min_free_bytes)
        self._found = found
        if self._refusal is not None and (before is None or before.message != self._refusal.message):
            _log.error("no new jobs are taken", reason=self._refusal.reason, why=self._refusal.message)
        elif before is not None and self._refusal is None:
            _log.info("there is room again: new jobs are taken")


def _least_free(folders: Sequence[Path]) -> int | None:
    found: list[int] = []
    for folder in folders:
        try:
            found.append(free_bytes(folder))
        except OSError as error:
            _log.warning("a disk cannot be looked at", error=error.strerror or "I/O error")
    return min(found, default=None)
