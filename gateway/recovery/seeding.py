"""Writes a copy of all records into a store, without ever undoing what the store holds."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from enum import Enum
from functools import partial
from typing import TypeVar

from google.protobuf.message import Message

from gateway.model_versions import find_listed, makes_version, version_key, version_of, with_listed
from gateway.recovery import merge
from gateway.recovery.record_copy import RecordCopy
from gateway.recovery.told import Told, last_told
from headway.contract.ids import ModelVersionName
from headway.contract.subjects import DATASETS, JOBS, KEYS, MODELS, SETTINGS
from headway.runtime.bus import Bus
from headway.runtime.clock import Clock
from headway.runtime.failpoints import failpoint
from headway.runtime.records import Conflict, RecordExists, Records
from headway.v1.models_pb2 import Model
from headway.v1.records_pb2 import DatasetRecord, JobRecord, KeyRecord, ModelRecord
from headway.v1.system_service_pb2 import ExecutionConfig

M = TypeVar("M", bound=Message)
_AT_ONCE = 32


class Outcome(Enum):
    """What became of one record."""

    BROUGHT_BACK = "brought_back"
    REPLACED = "replaced"
    """The store held an older revision."""
    THERE = "there"
    """The store held the same or a newer revision."""


Counts = dict[str, Counter[str]]
"""Outcomes by bucket."""


class Seeding:
    """One writing of all records into one store; idempotent, so that one that was broken off is simply done again."""

    def __init__(self, bus: Bus, clock: Clock, on_progress: Callable[[int], None]) -> None:
        """Args: bus: the store. clock: for what has to be made anew. on_progress: told the number of records done."""
        self._bus = bus
        self._clock = clock
        self._on_progress = on_progress
        self._num_done = 0
        self.counts: Counts = {}
        self.made_versions: list[str] = []
        """Names of model versions whose jobs had succeeded, and which were not among the models yet."""

    async def write(self, copy: RecordCopy, told: Told) -> None:
        """Write everything; jobs last, so that nobody starts one before what it needs is there.

        Raises:
            StoreUnavailable, DiskFull: nothing is undone; do it again.
        """
        bus = self._bus
        await self._bucket(KEYS.name, bus.records(KEYS, KeyRecord), copy.keys, merge.is_key_ahead)
        await self._bucket(SETTINGS.name, bus.records(SETTINGS, ExecutionConfig), copy.settings, merge.is_mode_ahead)
        await self._bucket(DATASETS.name, bus.records(DATASETS, DatasetRecord), copy.datasets, merge.is_dataset_ahead)
        await self._bucket(MODELS.name, bus.records(MODELS, ModelRecord), copy.models, merge.is_model_ahead)
        await self._make_missing_versions(copy)
        jobs = {key: _with_told(record, revision, told) for key, (revision, record) in copy.jobs.items()}
        await self._bucket(JOBS.name, bus.records(JOBS, JobRecord), jobs, merge.is_job_ahead)

    async def _bucket(
        self, bucket: str, records: Records[M], copies: Mapping[str, M], is_ahead: Callable[[M, M], bool]
    ) -> None:
        counts = self.counts.setdefault(bucket, Counter())

        async def one(key: str, kept: M) -> None:
            counts[(await seed(records, key, kept, is_ahead)).value] += 1
            self._num_done += 1
            self._on_progress(self._num_done)

        await _each([partial(one, key, kept) for key, kept in copies.items()])

    async def _make_missing_versions(self, copy: RecordCopy) -> None:
        """A job may have succeeded in the moment before its model was registered, or before that was seen here."""
        records = self._bus.records(MODELS, ModelRecord)
        succeeded = [record for _, record in copy.jobs.values() if makes_version(record)]
        for record in sorted(succeeded, key=lambda one: one.job.result.commit_time.ToNanoseconds()):
            version = version_of(record)
            name = ModelVersionName.parse(version.name)
            listed = copy.models.get(name.model.key, ModelRecord())
            if find_listed(listed, version.name) is not None and version_key(name) in copy.models:
                continue
            with suppress(RecordExists):
                await records.create(version_key(name), ModelRecord(model=Model(versions=[version])))
            changed = with_listed(listed, version, now=self._clock.now())
            if changed is not None:
                copy.models[name.model.key] = changed
                await seed(records, name.model.key, changed, merge.is_model_ahead)
            self.made_versions.append(version.name)


async def seed(records: Records[M], key: str, kept: M, is_ahead: Callable[[M, M], bool]) -> Outcome:
    """Bring one record back, unless the store has the same or a newer one."""
    while True:
        failpoint("recover.record")
        try:
            await records.create(key, kept)
        except RecordExists:
            found = await records.find(key)
        else:
            return Outcome.BROUGHT_BACK
        if found is None:
            continue
        if not is_ahead(kept, found.value):
            return Outcome.THERE
        with suppress(Conflict):
            await records.update(key, kept, found.revision)
            return Outcome.REPLACED


def _with_told(record: JobRecord, revision: int, told: Told) -> JobRecord:
    changed = JobRecord()
    changed.CopyFrom(record)
    changed.last_told_transition = last_told(record, revision, told)
    return changed


async def _each(jobs: list[Callable[[], Awaitable[None]]]) -> None:
    """Do all of it, some at a time: the store's fsyncs overlap."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def gated(work: Callable[[], Awaitable[None]]) -> None:
        async with gate:
            await work()

    async with asyncio.TaskGroup() as group:
        for work in jobs:
            group.create_task(gated(work))
