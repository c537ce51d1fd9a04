"""Bytes that a record names are never deleted, whatever happens beside (P7, P12)."""

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.blob_collector import BlobCollector, digests_in
from gateway.blobs.disk_threads import DiskThreads
from gateway.blobs.settings import BlobSettings
from gateway.blobs.store import BlobStore
from headway.contract.digests import sha256_of
from headway.contract.errors import StoreUnavailable
from headway.contract.subjects import DATASETS, JOBS
from headway.runtime.bus import Bus
from headway.runtime.clock import SystemClock
from headway.v1.datasets_pb2 import Dataset
from headway.v1.jobs_pb2 import Artifact, Bundle, Checkpoint, Job, JobResult
from headway.v1.records_pb2 import DatasetRecord, JobRecord

LONG_AGO = 1_000_000_000.0


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    store = BlobStore(tmp_path / "blobs", BlobSettings())
    store.prepare()
    return store


async def whole() -> None:
    """The buckets are those that the blobs belong to."""


@pytest.fixture
async def collector(bus: Bus, store: BlobStore) -> AsyncIterator[BlobCollector]:
    async with DiskThreads() as threads:
        yield BlobCollector(bus, store, threads, SystemClock(), BlobSettings(), whole)


def put_old(store: BlobStore, content: bytes) -> str:
    part = store.new_nameless_part("demo", len(content))
    part.write(content)
    digest = store.publish(part, "demo").digest
    os.utime(store.path("demo", digest), (LONG_AGO, LONG_AGO))
    return digest


def a_bundle(digest: str) -> Bundle:
    return Bundle(digest=digest, artifacts=[Artifact(path="a", digest=digest)])


async def test_only_what_no_record_names_and_nobody_asked_for_is_deleted(
    bus: Bus, store: BlobStore, collector: BlobCollector
) -> None:
    data, weights, state, before, replaced, fresh = (put_old(store, name.encode()) for name in "abcdef")
    await bus.records(DATASETS, DatasetRecord).create("demo/d", DatasetRecord(versions=[Dataset(digest=data)]))
    job = Job(checkpoint=Checkpoint(bundle=a_bundle(state)), result=JobResult(bundle=a_bundle(weights)))
    record = JobRecord(job=job, previous_checkpoint=Checkpoint(bundle=a_bundle(before)))
    await bus.records(JOBS, JobRecord).create("j", record)
    # A host asks whether it has to send this one, is told no, and will name it in a commit.
    assert store.find_missing("demo", [fresh]) == []

    assert await collector.collect() == 1
    assert store.find_missing("demo", [data, weights, state, before, replaced, fresh]) == [replaced]
    assert await collector.collect() == 0


async def test_nothing_is_deleted_while_the_buckets_are_not_to_be_trusted_p3(bus: Bus, store: BlobStore) -> None:
    digest = put_old(store, b"kept")

    async def lost() -> None:
        raise StoreUnavailable("the store is lost")

    async with DiskThreads() as threads:
        collector = BlobCollector(bus, store, threads, SystemClock(), BlobSettings(), lost)
        with pytest.raises(StoreUnavailable):
            await collector.collect()
    assert store.find("demo", digest) is not None


def test_a_blob_that_is_used_at_the_last_moment_stays(store: BlobStore) -> None:
    digest = put_old(store, b"used")
    ((project, info),) = list(store.unused_since(LONG_AGO + 1))
    assert store.use(project, info.digest) is not None
    assert not store.delete_unused(project, digest, LONG_AGO + 1)
    assert store.read("demo", digest, 100) == b"used"


def test_a_blob_that_was_out_of_sight_when_the_gateway_died_is_back_after_a_start(store: BlobStore) -> None:
    digest = put_old(store, b"aside")
    path = store.path("demo", digest)
    aside = path.parents[2] / "incoming" / f"{path.name}.unused"
    path.replace(aside)
    store.prepare()
    assert store.read("demo", digest, 100) == b"aside"
    assert not aside.exists()


def test_digests_are_found_wherever_a_record_names_them() -> None:
    digest = sha256_of(b"x")
    record = JobRecord(job=Job(checkpoint=Checkpoint(bundle=a_bundle(digest))))
    assert digests_in(record.SerializeToString()) == {digest}
    assert digests_in(b"") == set()


async def test_some_blobs_go_at_once_unless_named_or_used_since(
    bus: Bus, store: BlobStore, collector: BlobCollector
) -> None:
    gone, named, left, fresh = (put_old(store, name.encode()) for name in "abcd")
    records = bus.records(JOBS, JobRecord)
    await records.create("stays", JobRecord(job=Job(result=JobResult(bundle=a_bundle(named)))))
    await records.create("leaves", JobRecord(job=Job(result=JobResult(bundle=a_bundle(left)))))
    store.use("demo", fresh)
    blobs = [("demo", digest) for digest in (gone, named, left, fresh, "sha256:" + "0" * 64)]
    before = datetime.fromtimestamp(LONG_AGO + 1, UTC)

    assert await collector.delete_unnamed(blobs, before, leaving=frozenset({"leaves"})) == 2
    assert store.find_missing("demo", [gone, named, left, fresh]) == [gone, left]


async def test_no_blob_goes_at_once_while_the_buckets_are_not_to_be_trusted_p3(bus: Bus, store: BlobStore) -> None:
    digest = put_old(store, b"kept")

    async def lost() -> None:
        raise StoreUnavailable("the store is lost")

    async with DiskThreads() as threads:
        collector = BlobCollector(bus, store, threads, SystemClock(), BlobSettings(), lost)
        with pytest.raises(StoreUnavailable):
            await collector.delete_unnamed([("demo", digest)], datetime.now(UTC), leaving=frozenset())
    assert store.find("demo", digest) is not None
