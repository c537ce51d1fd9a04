"""F38, P7, P8, P9: results that come twice, at once, in disorder or late.

The gateway's bytes half on a real nats-server, and the stubs of a host: whatever a host or a link may do to a callback,
there is one model or none, and the answer says which.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest

from gateway.blobs.settings import BlobSettings
from headway.contract import transitions
from headway.contract.digests import sha256_of
from headway.contract.errors import HeadwayError
from headway.contract.host_facts import facts_of
from headway.contract.pausing import request_pause
from headway.runtime.channel import open_channel
from headway.runtime.nats_bus import NatsBus
from headway.testing.builders import A_MOMENT, a_claimed_record, a_host
from headway.testing.eventually import eventually
from headway.v1.blobs_service_pb2 import BLOB_ENCODING_IDENTITY, UploadBlobRequest
from headway.v1.job_specs_pb2 import EXECUTION_MODE_LOCAL
from headway.v1.jobs_pb2 import (
    FAILURE_CLASS_FATAL,
    JOB_STATE_CANCELLING,
    JOB_STATE_SUCCEEDED,
    Bundle,
    Failure,
    JobResult,
)
from headway.v1.records_pb2 import JobRecord
from headway.v1.results_service_pb2_grpc import ResultServiceStub
from tests.bytes_gateway import BytesGateway, bytes_gateway
from tests.fault import figures
from tests.fault.callbacks import (
    ACCEPTED,
    DUPLICATE,
    a_bundle,
    a_saving_job,
    committed,
    job_id_of,
    litter,
    num_registrations,
    one_saved_model,
    outcome,
    said,
    stored,
    versions,
)
from tests.result_bundles import (
    A_SUMMARY,
    commit_request,
    result_files,
    upload_all,
    upload_messages,
    with_manifest,
)

_ROOT = Path(__file__).resolve().parents[2]
LIMIT_SECONDS = 30.0


@pytest.fixture
async def gateway(tmp_path: Path, nats_bus: NatsBus) -> AsyncIterator[BytesGateway]:
    async with bytes_gateway(tmp_path, bus=nats_bus, settings=BlobSettings(idle_seconds=1.0)) as gateway:
        yield gateway


async def test_a_result_that_is_sent_64_times_at_once_is_saved_once(gateway: BytesGateway) -> None:
    """F38, P7: over two connections, as two agents that share a host's disk would."""
    record = await a_saving_job(gateway)
    bundle = await a_bundle(gateway, record)
    async with one_saved_model(gateway, record), open_channel(gateway.address) as second:
        stubs = [gateway.result, ResultServiceStub(second)] * 32
        answers = await asyncio.gather(*(said(stub.CommitResult(commit_request(record, bundle))) for stub in stubs))
    assert sorted(answers) == [ACCEPTED] + [DUPLICATE] * 63
    figures.record(row="F38", name="callbacks", sent=64, models=1)


async def test_of_64_different_results_at_once_one_is_saved(gateway: BytesGateway) -> None:
    """F38, P7: the others hear that they are too late; the winner's repeats are duplicates."""
    record = await a_saving_job(gateway)
    bundles = [await a_bundle(gateway, record, fill) for fill in (0.25, 0.5, 0.75, 1.0)]
    async with one_saved_model(gateway, record):
        calls = [committed(gateway, record, bundle) for bundle in bundles * 16]
        answers = await asyncio.gather(*calls)
    assert sorted(answers) == [ACCEPTED] + ["ALREADY_SAVED"] * 48 + [DUPLICATE] * 15


async def test_a_result_is_a_duplicate_after_a_restart_too(tmp_path: Path, nats_bus: NatsBus) -> None:
    """F38, P8: a host that never hears the answer may repeat itself for ever."""
    async with bytes_gateway(tmp_path, bus=nats_bus) as gateway:
        record = await a_saving_job(gateway)
        bundle = await a_bundle(gateway, record)
        assert await committed(gateway, record, bundle) == ACCEPTED
    for _ in range(2):
        async with bytes_gateway(tmp_path, bus=nats_bus) as gateway, one_saved_model(gateway, record):
            assert [await committed(gateway, record, bundle) for _ in range(3)] == [DUPLICATE] * 3


async def test_chunks_in_another_order_never_become_a_blob(gateway: BytesGateway) -> None:
    """F38: 64 uploads of one blob at once, half of them with two chunks exchanged."""
    content = random.Random(1).randbytes(400_000)
    good = list(upload_messages(content, encoding=BLOB_ENCODING_IDENTITY, chunk_bytes=100_000))
    calls = [gateway.blob.UploadBlob(iter(_exchanged(good, number) if number % 2 else good)) for number in range(64)]
    answers = await asyncio.gather(*(outcome(call) for call in calls))
    assert set(answers[1::2]) <= {"STREAM_PROTOCOL", ""}, "one that finds the blob there reads no further"
    assert "STREAM_PROTOCOL" in answers[1::2]
    assert set(answers[::2]) == {""}
    assert gateway.blobs.read("demo", sha256_of(content), len(content)) == content
    await eventually(lambda: litter(gateway.home) == [], timeout_seconds=LIMIT_SECONDS)


def _exchanged(messages: Sequence[UploadBlobRequest], number: int) -> list[UploadBlobRequest]:
    at = 1 + number % 3
    return [*messages[:at], messages[at + 1], messages[at], *messages[at + 2 :]]


Change = Callable[[JobRecord], JobRecord | None]


def _lost(record: JobRecord) -> JobRecord:
    return transitions.lose_attempt(record, attempt=record.job.attempt, now=A_MOMENT)


def _claimed_by(record: JobRecord, host: str) -> JobRecord:
    facts = facts_of(a_host(host))
    return transitions.claim(record, host=facts, mode=EXECUTION_MODE_LOCAL, fallback_reason="", now=A_MOMENT)


def _saved_by_the_next(record: JobRecord) -> JobRecord:
    moved = _claimed_by(_lost(record), "berta")
    result = JobResult(bundle=Bundle(digest=sha256_of(b"other")), summary=A_SUMMARY, attempt=2)
    return transitions.commit_result(moved, host="hosts/berta", result=result, now=A_MOMENT)


def _cancelling(record: JobRecord) -> JobRecord:
    return transitions.request_cancel(record, message="", now=A_MOMENT) or record


def _cancelled(record: JobRecord) -> JobRecord:
    return transitions.confirm_cancelled(_cancelling(record), attempt=1, now=A_MOMENT)


def _paused(record: JobRecord) -> JobRecord:
    asked = request_pause(record, message="", now=A_MOMENT)
    return transitions.confirm_paused(asked or record, attempt=1, now=A_MOMENT)


def _failed(record: JobRecord) -> JobRecord:
    failure = Failure(failure_class=FAILURE_CLASS_FATAL, reason="BROKEN", message="it broke")
    return transitions.fail_attempt(record, attempt=1, failure=failure, now=A_MOMENT)


LATE: dict[str, tuple[Change, str]] = {
    "after it was queued again": (_lost, "STALE_ATTEMPT"),
    "after another host took it": (lambda record: _claimed_by(_lost(record), "berta"), "STALE_ATTEMPT"),
    "after the same host took it again": (lambda record: _claimed_by(_lost(record), "anton"), "STALE_ATTEMPT"),
    "after the next attempt saved": (_saved_by_the_next, "ALREADY_SAVED"),
    "after a cancellation was asked for": (_cancelling, "CANCELLED"),
    "after it was cancelled": (_cancelled, "CANCELLED"),
    "after it was paused": (_paused, "STALE_ATTEMPT"),
    "after it failed for good": (_failed, "STALE_ATTEMPT"),
}


@pytest.mark.parametrize("when", LATE)
async def test_a_result_that_comes_late_changes_nothing(gateway: BytesGateway, when: str) -> None:
    """F38, P9, P20, P21: sixteen times at once, and once more; the host may forget it."""
    change, reason = LATE[when]
    record = await a_saving_job(gateway)
    bundle = await a_bundle(gateway, record)
    before = await gateway.jobs.change(job_id_of(record), change)
    answers = await asyncio.gather(*(committed(gateway, record, bundle) for _ in range(16)))
    answers.append(await committed(gateway, record, bundle))
    assert set(answers) == {reason}
    assert (await gateway.jobs.get(before.key)).revision == before.revision
    assert await versions(gateway) == []
    assert await num_registrations(gateway.bus) == 0


async def test_a_result_of_a_job_that_nobody_knows_is_not_found(gateway: BytesGateway) -> None:
    """F38: as after the store was lost; nothing is made of it."""
    record = a_claimed_record()
    bundle = await upload_all(gateway, with_manifest(result_files(), record))
    answers = await asyncio.gather(*(committed(gateway, record, bundle) for _ in range(16)))
    assert set(answers) == {"NOT_FOUND"}
    assert await gateway.jobs.find(job_id_of(record)) is None


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 10))])
async def test_a_cancellation_and_a_result_at_once_have_one_winner(gateway: BytesGateway, seed: int) -> None:
    """F38, P21: and both callers are told which."""
    draw = random.Random(seed)
    record = await a_saving_job(gateway)
    bundle = await a_bundle(gateway, record)
    waits = [draw.uniform(0, 0.02) for _ in range(8)]

    async def send(wait: float) -> str:
        await asyncio.sleep(wait)
        return await committed(gateway, record, bundle)

    async def cancel() -> bool:
        await asyncio.sleep(draw.uniform(0, 0.02))
        try:
            await gateway.jobs.change(job_id_of(record), _cancelling)
        except HeadwayError:
            return False
        return True

    cancelling = asyncio.ensure_future(cancel())
    answers = await asyncio.gather(*map(send, waits))
    is_cancelled = await cancelling
    if is_cancelled:
        assert set(answers) == {"CANCELLED"}
        assert (await stored(gateway, record)).state == JOB_STATE_CANCELLING
        assert await versions(gateway) == []
    else:
        assert sorted(answers) == [ACCEPTED] + [DUPLICATE] * 7
        assert (await stored(gateway, record)).state == JOB_STATE_SUCCEEDED


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 10))])
async def test_results_of_two_attempts_at_once_have_one_winner(gateway: BytesGateway, seed: int) -> None:
    """F38, P7, P9: the job moves while the first host still sends."""
    draw = random.Random(seed)
    first = await a_saving_job(gateway)
    bundle = await a_bundle(gateway, first, 0.25)
    second = _claimed_by(_lost(first), "berta")
    other = await a_bundle(gateway, second, 0.75)

    async def send(record: JobRecord, what: Bundle) -> str:
        await asyncio.sleep(draw.uniform(0, 0.02))
        return await committed(gateway, record, what)

    async def move() -> None:
        await asyncio.sleep(draw.uniform(0, 0.02))
        await gateway.jobs.change(job_id_of(first), _moved)

    async with one_saved_model(gateway, first):
        moving = asyncio.ensure_future(move())
        answers = await asyncio.gather(*(send(first, bundle) for _ in range(8)))
        await moving
        answers.append(await committed(gateway, second, other))
    assert answers.count(ACCEPTED) == 1
    saved = await stored(gateway, first)
    assert saved.result.attempt == saved.attempt == saved.attempts[-1].number


def _moved(record: JobRecord) -> JobRecord | None:
    """What the scheduler does with the job of a lost host; nothing when it is over."""
    return None if record.job.state == JOB_STATE_SUCCEEDED else _claimed_by(_lost(record), "berta")
