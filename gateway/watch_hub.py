"""Hands what happens to jobs to those who watch them.

A watcher has one mailbox, not a queue: the newest record and the newest progress. That is enough, because a record
carries its history: the watcher reads from it every transition that it has not told yet. So a slow watcher costs no
memory and delays nobody.
"""

import asyncio
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from gateway.projection.rows import JobSeen
from headway.contract.errors import ServiceUnavailable, TooManyWatches
from headway.contract.limits import WATCHES_PER_KEY_MAX
from headway.v1.jobs_pb2 import Progress
from headway.v1.records_pb2 import JobRecord

RETRY_AFTER = timedelta(seconds=5)
"""A watch lasts as long as its job; one of so many may end at any time."""

PROGRESS_KEPT = 10_000
"""Jobs whose newest progress is remembered; the oldest are forgotten first."""


@dataclass(frozen=True, slots=True)
class Revision:
    """A record and its revision. Shared by all watchers: nobody changes it."""

    record: JobRecord
    number: int


class Mailbox:
    """The newest of what a watcher has not read yet."""

    def __init__(self) -> None:
        self.changed = asyncio.Event()
        self._revision: Revision | None = None
        self._progress: Progress | None = None
        self._is_closing = False

    def offer(self, revision: Revision) -> None:
        """Replace the record by a newer one."""
        if self._revision is None or revision.number > self._revision.number:
            self._revision = revision
            self.changed.set()

    def offer_progress(self, progress: Progress) -> None:
        """Replace the progress; what was not read is dropped."""
        self._progress = progress
        self.changed.set()

    def close(self) -> None:
        """Tell the watcher that the gateway is stopping."""
        self._is_closing = True
        self.changed.set()

    def wake(self) -> None:
        """Wake the watcher for a reason of its own."""
        self.changed.set()

    def take(self) -> tuple[Revision | None, Progress | None]:
        """What is new since the last call.

        Raises:
            ServiceUnavailable: the gateway is stopping; the watcher goes on from its token when it is back.
        """
        if self._is_closing:
            raise ServiceUnavailable("the gateway is stopping; go on from the resume token in a moment")
        self.changed.clear()
        revision, progress = self._revision, self._progress
        self._revision = self._progress = None
        return revision, progress


class WatchHub:
    """Knows who watches what. Told by the feeds of jobs and progress."""

    def __init__(self, *, per_key: int = WATCHES_PER_KEY_MAX) -> None:
        """Args: per_key: watches that one key may have open."""
        self._per_key = per_key
        self._mailboxes: dict[str, set[Mailbox]] = defaultdict(set)
        self._num_by_key: Counter[str] = Counter()
        self._progress: OrderedDict[str, Progress] = OrderedDict()
        self._is_closing = False

    @contextmanager
    def watching(self, job_id: str, key_id: str) -> Iterator[Mailbox]:
        """A mailbox for the length of the block.

        Raises:
            TooManyWatches: the key has as many as it may.
        """
        if self._num_by_key[key_id] >= self._per_key:
            raise TooManyWatches(
                f"the key has {self._per_key} watches open, and no more are allowed; end some",
                metadata={"quota": "watches per key", "subject": key_id, "limit": str(self._per_key)},
                retry_after=RETRY_AFTER,
            )
        mailbox = Mailbox()
        if self._is_closing:
            mailbox.close()
        self._num_by_key[key_id] += 1
        self._mailboxes[job_id].add(mailbox)
        try:
            yield mailbox
        finally:
            self._forget(mailbox, job_id, key_id)

    @property
    def num_watches(self) -> int:
        """Watches that are open."""
        return self._num_by_key.total()

    def saw(self, seen: JobSeen) -> None:
        """Hand a revision to the job's watchers."""
        mailboxes = self._mailboxes.get(seen.job_id)
        if mailboxes and seen.record is not None:
            revision = Revision(seen.record, seen.revision)
            for mailbox in mailboxes:
                mailbox.offer(revision)

    def saw_progress(self, job_id: str, progress: Progress) -> None:
        """Hand newer progress to the job's watchers, and remember it for reads."""
        known = self._progress.get(job_id)
        if known is not None and _place(known) > _place(progress):
            return
        self._progress[job_id] = progress
        self._progress.move_to_end(job_id)
        if len(self._progress) > PROGRESS_KEPT:
            self._progress.popitem(last=False)
        for mailbox in self._mailboxes.get(job_id, ()):
            mailbox.offer_progress(progress)

    def progress_of(self, job_id: str) -> Progress | None:
        """The newest progress heard of; shared, so nobody changes it."""
        return self._progress.get(job_id)

    async def close(self) -> None:
        """Tell every watcher that the gateway is stopping, now and from now on. A drain hook."""
        self._is_closing = True
        for mailboxes in self._mailboxes.values():
            for mailbox in mailboxes:
                mailbox.close()

    def _forget(self, mailbox: Mailbox, job_id: str, key_id: str) -> None:
        mailboxes = self._mailboxes[job_id]
        mailboxes.discard(mailbox)
        if not mailboxes:
            del self._mailboxes[job_id]
        self._num_by_key[key_id] -= 1
        if not self._num_by_key[key_id]:
            del self._num_by_key[key_id]


def _place(progress: Progress) -> tuple[int, int, int, int]:
    """Order of two reports of a job: by attempt, then phase and step; an attempt's phases follow one another."""
    return progress.attempt, progress.phase, progress.step, progress.epoch
