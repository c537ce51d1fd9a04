from collections.abc import Callable
from pathlib import Path

import grpc.aio
import pytest

from headway.contract.digests import sha256_of
from headway.contract.errors import (
    AlreadySaved,
    BlobTooLarge,
    Contention,
    DigestMismatch,
    HeadwayError,
    InternalError,
    InvalidGzip,
    InvalidManifest,
    JobCancelled,
    NotFound,
    ScopeDenied,
    StaleAttempt,
    StoreUnavailable,
)
from headway.v1.blobs_service_pb2_grpc import BlobServiceStub
from headway.v1.jobs_pb2 import Artifact, Bundle
from headway.v1.results_service_pb2 import CommitResultRequest
from headway.v1.results_service_pb2_grpc import ResultServiceStub
from tests.contract.fake_gateway import FakeGateway
from tests.unit.trainer_host.doubles import HastyClock, a_key
from trainer_host.delivery import Delivered, Delivery, Verdict
from trainer_host.outbox import OutboxEntry
from trainer_host.retries import Pace
from trainer_host.uploads import Uploads

CONTENT = b"weights" * 1000


@pytest.fixture
def clock() -> HastyClock:
    return HastyClock()


@pytest.fixture
def delivery(channel: grpc.aio.Channel, clock: HastyClock) -> Delivery:
    return Delivery(Uploads(BlobServiceStub(channel)), ResultServiceStub(channel), clock, Pace())


@pytest.fixture
def entry(tmp_path: Path) -> OutboxEntry:
    (tmp_path / "model.safetensors").write_bytes(CONTENT)
    digest = sha256_of(CONTENT)
    bundle = Bundle(
        digest=digest, artifacts=[Artifact(path="model.safetensors", digest=digest, size_bytes=len(CONTENT))]
    )
    key = a_key()
    request = CommitResultRequest(job=key.job, attempt=1, host="hosts/h", bundle=bundle)
    request.summary.task = "toy"
    return OutboxEntry(key, request, tmp_path)


async def nothing() -> None:
    """No log lines wait."""


async def test_a_result_is_committed_with_its_files(
    delivery: Delivery, entry: OutboxEntry, gateway: FakeGateway
) -> None:
    assert await delivery.deliver(entry, nothing) == Delivered(Verdict.COMMITTED)
    assert gateway.commits == [entry.request]
    assert gateway.blobs == {sha256_of(CONTENT): CONTENT}


async def test_a_repeated_delivery_is_a_duplicate_and_committed(
    delivery: Delivery, entry: OutboxEntry, gateway: FakeGateway
) -> None:
    await delivery.deliver(entry, nothing)
    assert await delivery.deliver(entry, nothing) == Delivered(Verdict.COMMITTED)


@pytest.mark.parametrize("method", ["FindMissingBlobs", "UploadBlob", "CommitResult"])
@pytest.mark.parametrize(
    "make_error",
    [StoreUnavailable, InternalError, Contention, NotFound, ScopeDenied, DigestMismatch, InvalidGzip],
)
async def test_whatever_is_not_final_is_tried_again_for_ever(
    delivery: Delivery,
    entry: OutboxEntry,
    gateway: FakeGateway,
    clock: HastyClock,
    method: str,
    make_error: Callable[[str], HeadwayError],
) -> None:
    """P11: a result is kept until the gateway has said what becomes of it."""
    num_failures = 2 if method == "CommitResult" else 10
    gateway.faults.errors[method] = [make_error("not now") for _ in range(num_failures)]
    assert (await delivery.deliver(entry, nothing)).verdict is Verdict.COMMITTED
    assert len(clock.sleeps) == num_failures
    assert clock.sleeps[0] == pytest.approx(1, rel=0.11)


async def test_a_commit_whose_answer_was_lost_is_repeated_and_saved_once(
    delivery: Delivery, entry: OutboxEntry, gateway: FakeGateway
) -> None:
    """F33, P8."""
    gateway.faults.errors["CommitResult unseen"] = [StoreUnavailable("the answer is lost") for _ in range(3)]
    assert (await delivery.deliver(entry, nothing)).verdict is Verdict.COMMITTED
    assert gateway.commits == [entry.request]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (StaleAttempt("another attempt"), "STALE_ATTEMPT"),
        (JobCancelled("cancelled"), "CANCELLED"),
        (AlreadySaved("saved"), "ALREADY_SAVED"),
    ],
)
async def test_a_job_that_does_not_want_the_result_says_so_once(
    delivery: Delivery, entry: OutboxEntry, gateway: FakeGateway, error: HeadwayError, reason: str
) -> None:
    gateway.faults.errors["CommitResult"] = [error]
    delivered = await delivery.deliver(entry, nothing)
    assert (delivered.verdict, delivered.reason) == (Verdict.REFUSED, reason)
    assert gateway.calls.count("CommitResult") == 1


async def test_a_bundle_is_rejected_only_when_the_gateway_says_so_three_times(
    delivery: Delivery, entry: OutboxEntry, gateway: FakeGateway
) -> None:
    """F36: a bit that flips on a plain link can make any request a bad one."""
    gateway.faults.errors["CommitResult"] = [InvalidManifest("no") for _ in range(3)]
    delivered = await delivery.deliver(entry, nothing)
    assert (delivered.verdict, delivered.reason) == (Verdict.REJECTED, "MANIFEST")
    assert gateway.calls.count("CommitResult") == 3


async def test_a_blob_over_the_limit_is_rejected(delivery: Delivery, entry: OutboxEntry, gateway: FakeGateway) -> None:
    """The gateway says so before it has heard all; grpc.aio then shows INTERNAL now and again, so it is asked again."""
    gateway.faults.errors["UploadBlob at once"] = [BlobTooLarge("too large") for _ in range(100)]
    assert (await delivery.deliver(entry, nothing)).verdict is Verdict.REJECTED


async def test_a_flipped_bit_on_the_link_is_sent_again_and_saved_once(
    delivery: Delivery, entry: OutboxEntry, gateway: FakeGateway
) -> None:
    gateway.faults.flip_upload_bit = True
    assert (await delivery.deliver(entry, nothing)).verdict is Verdict.COMMITTED
    assert len(gateway.commits) == 1


async def test_a_file_that_rotted_on_the_disk_ends_the_delivery(
    delivery: Delivery, entry: OutboxEntry, gateway: FakeGateway
) -> None:
    (entry.bundle_dir / "model.safetensors").write_bytes(b"X" + CONTENT[1:])
    gateway.faults.flip_upload_bit = True
    delivered = await delivery.deliver(entry, nothing)
    assert (delivered.verdict, delivered.reason) == (Verdict.CORRUPT, "RESULT_DAMAGED")
    assert gateway.commits == []


async def test_a_file_that_vanished_ends_the_delivery(delivery: Delivery, entry: OutboxEntry) -> None:
    (entry.bundle_dir / "model.safetensors").unlink()
    assert (await delivery.deliver(entry, nothing)).verdict is Verdict.CORRUPT


async def test_the_last_log_lines_come_after_the_bytes_and_before_the_commit(
    delivery: Delivery, entry: OutboxEntry, gateway: FakeGateway
) -> None:
    async def note() -> None:
        gateway.calls.append("flush")

    await delivery.deliver(entry, note)
    assert gateway.calls == ["FindMissingBlobs", "UploadBlob", "flush", "CommitResult"]
