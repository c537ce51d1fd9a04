"""Keeps the watches in the bucket `notifier`, and answers from memory."""

from collections.abc import Callable

from headway.contract.errors import Contention
from headway.runtime.records import Conflict, RecordExists, Records
from headway.v1.records_pb2 import WatchesRecord
from notifier.watches import Watches

KEY = "watches"
_NUM_TRIES = 20


class WatchStore:
    """The owner's watches. A change is a compare-and-set; what comes second is decided anew on top of the first."""

    def __init__(self, records: Records[WatchesRecord], *, is_watching_all: bool) -> None:
        """Args: records: of the bucket. is_watching_all: until the owner says otherwise for the first time."""
        self._records = records
        self._revision: int | None = None
        self._default = Watches(is_watching_all=is_watching_all)
        self._watches = self._default

    async def load(self) -> None:
        """Read what was kept; for the start.

        Raises:
            StoreUnavailable: the server does not answer.
        """
        found = await self._records.find(KEY)
        self._revision = found.revision if found is not None else None
        self._watches = _from_record(found.value) if found is not None else self._default

    def is_watched(self, job_name: str) -> bool:
        """Whether the owner follows the job `projects/{project}/jobs/{job}`; from memory."""
        return self._watches.is_watched(job_name)

    @property
    def is_watching_all(self) -> bool:
        """Whether every job is followed by itself."""
        return self._watches.is_watching_all

    def watched(self) -> tuple[str, ...]:
        """Names of jobs asked for one by one, the oldest wish first."""
        return self._watches.watched

    async def watch(self, job_name: str) -> None:
        """Follow a job. This and the methods below raise StoreUnavailable, with nothing changed, without a store."""
        await self._change(lambda watches: watches.watch(job_name))

    async def unwatch(self, job_name: str) -> None:
        """Follow a job no more."""
        await self._change(lambda watches: watches.unwatch(job_name))

    async def watch_all(self, is_watching_all: bool) -> None:  # noqa: FBT001 - the one thing that it says
        """Follow every job, or only those asked for one by one."""
        await self._change(lambda watches: watches.watch_all(is_watching_all))

    async def forget(self, job_name: str) -> None:
        """The job has ended."""
        await self._change(lambda watches: watches.forget(job_name))

    async def _change(self, decide: Callable[[Watches], Watches]) -> None:
        for _ in range(_NUM_TRIES):
            wanted = decide(self._watches)
            if wanted == self._watches:
                return
            try:
                await self._write(wanted)
            except (Conflict, RecordExists):
                await self.load()
            else:
                return
        raise Contention("The watches were changed by others each time; ask again.")

    async def _write(self, wanted: Watches) -> None:
        record = WatchesRecord(
            is_watching_all=wanted.is_watching_all,
            watched_jobs=wanted.watched,
            unwatched_jobs=wanted.unwatched,
        )
        if self._revision is None:
            revision = await self._records.create(KEY, record)
        else:
            revision = await self._records.update(KEY, record, self._revision)
        self._revision, self._watches = revision, wanted


def _from_record(record: WatchesRecord) -> Watches:
    return Watches(
        is_watching_all=record.is_watching_all,
        watched=tuple(record.watched_jobs),
        unwatched=tuple(record.unwatched_jobs),
    )
