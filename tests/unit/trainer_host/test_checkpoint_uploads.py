import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc.aio
import pytest

from headway.contract.digests import sha256_of
from headway.contract.errors import InvalidManifest, ServiceUnavailable, StaleAttempt
from headway.runtime.clock import SystemClock
from headway.testing.eventually import eventually
from headway.v1.blobs_service_pb2_grpc import BlobServiceStub
from headway.v1.results_service_pb2_grpc import ResultServiceStub
from tests.contract.fake_gateway import FakeGateway
from tests.unit.trainer_host.doubles import a_key
from trainer_host.attempt_key import AttemptKey
from trainer_host.checkpoint_files import name_of
from trainer_host.checkpoint_store import CheckpointStore
from trainer_host.checkpoint_uploads import CheckpointUploads
from trainer_host.child_messages import ArtifactFile, Saved
from trainer_host.retries import Pace
from trainer_host.uploads import Uploads


class Saver:
    """Saves checkpoints of one file each, as a child does."""

    def __init__(self, key: AttemptKey, store: CheckpointStore, uploads: CheckpointUploads) -> None:
        self.uploads = uploads
        self.store = store
        self.key = key

    def save(self, step: int) -> Path:
        folder = self.store.folder_of(self.key) / name_of(step, self.key.attempt)
        folder.mkdir()
        content = f"state of step {step}".encode()
        (folder / "manifest.json").write_bytes(content)
        file = ArtifactFile(path="manifest.json", digest=sha256_of(content), size_bytes=len(content), media_type="")
        self.uploads.note(Saved(folder=str(folder), step=step, manifest_digest=file.digest, artifacts=(file,)))
        return folder


@pytest.fixture
async def saver(tmp_path: Path, channel: grpc.aio.Channel) -> AsyncIterator[Saver]:
    key, store = a_key(), CheckpointStore(tmp_path / "checkpoints")
    store.prepare()
    uploads = CheckpointUploads(
        key,
        "hosts/h",
        uploads=Uploads(BlobServiceStub(channel)),
        results=ResultServiceStub(channel),
        store=store,
        clock=SystemClock(),
        pace=Pace(first_seconds=0.01, longest_seconds=0.05),
    )
    async with asyncio.TaskGroup() as group:
        running = group.create_task(uploads.run())
        yield Saver(key, store, uploads)
        running.cancel()


def steps(gateway: FakeGateway) -> list[int]:
    return [one.step for one in gateway.checkpoints]


async def test_each_is_uploaded_then_committed_under_the_fence(saver: Saver, gateway: FakeGateway) -> None:
    for step in (1, 2):
        saver.save(step)
        assert await saver.uploads.settle(10)
    assert steps(gateway) == [1, 2]
    first = gateway.checkpoints[0]
    assert (first.job, first.attempt, first.host) == (saver.key.job, 1, "hosts/h")
    assert first.bundle.digest in gateway.blobs


async def test_one_that_waits_is_dropped_for_the_next(saver: Saver, gateway: FakeGateway) -> None:
    gateway.committing_checkpoints.close()
    saver.save(1)
    await eventually(lambda: "CommitCheckpoint" in gateway.calls)
    for step in (2, 3, 4):
        saver.save(step)
    gateway.committing_checkpoints.open()
    assert await saver.uploads.settle(10)
    assert steps(gateway) == [1, 4]


async def test_a_gateway_that_hangs_does_not_fill_the_disk(saver: Saver, gateway: FakeGateway) -> None:
    """The newest two, and the one on its way."""
    gateway.uploads.close()
    first = saver.save(1)
    await eventually(lambda: "FindMissingBlobs" in gateway.calls)
    made = [saver.save(step) for step in range(2, 8)]
    await eventually(lambda: saver.store.newest_first(saver.key) == [made[-1], made[-2], first])
    gateway.uploads.open()
    assert await saver.uploads.settle(10)
    assert steps(gateway)[-1] == 7


async def test_it_is_tried_again_until_the_gateway_is_back(saver: Saver, gateway: FakeGateway) -> None:
    """F5."""
    gateway.faults.errors["CommitCheckpoint"] = [ServiceUnavailable("the test is away") for _ in range(4)]
    saver.save(1)
    assert await saver.uploads.settle(10)
    assert steps(gateway) == [1]


@pytest.mark.parametrize("error", [InvalidManifest, StaleAttempt])
async def test_one_that_is_refused_is_given_up_and_the_next_is_sent(
    saver: Saver, gateway: FakeGateway, error: type[InvalidManifest] | type[StaleAttempt]
) -> None:
    """P16."""
    gateway.faults.errors["CommitCheckpoint"] = [error("the test does not want it") for _ in range(3)]
    saver.save(1)
    assert await saver.uploads.settle(10)
    assert steps(gateway) == []
    saver.save(2)
    assert await saver.uploads.settle(10)
    assert steps(gateway) == [2]


async def test_nobody_waits_longer_than_the_limit(saver: Saver, gateway: FakeGateway) -> None:
    gateway.committing_checkpoints.close()
    saver.save(1)
    assert not await saver.uploads.settle(0.05)
    gateway.committing_checkpoints.open()
    assert await saver.uploads.settle(10)


async def test_with_nothing_saved_nobody_waits(saver: Saver) -> None:
    assert await saver.uploads.settle(0)
