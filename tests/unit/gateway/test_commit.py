"""Commits on a bus without a server: what a lost answer, a race or a kill may not do. The wire is in tests/contract."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from gateway.blobs.store import BlobStore
from gateway.bundles import Expected, check_bundle
from gateway.claims import Claim
from gateway.commit import Commits, Committed, Disposition
from headway.contract.errors import (
    AlreadySaved,
    BlobMissing,
    DigestMismatch,
    InvalidDigest,
    JobCancelled,
    NotFound,
    OutOfRange,
    StaleAttempt,
    StoreUnavailable,
)
from headway.contract.host_facts import facts_of
from headway.contract.ids import JobName
from headway.contract.transitions import claim as claim_job
from headway.contract.transitions import lose_attempt, request_cancel
from headway.testing.builders import A_MOMENT, a_claimed_record, a_host, a_record
from headway.testing.memory_bus import MemoryBus
from headway.v1.job_specs_pb2 import EXECUTION_MODE_LOCAL
from headway.v1.jobs_pb2 import JOB_STATE_CANCELLING, JOB_STATE_EVAL_FAILED, JOB_STATE_SUCCEEDED, Bundle
from headway.v1.records_pb2 import JobRecord
from tests.byte_rows import next_attempt
from tests.bytes_gateway import BytesGateway, bytes_gateway
from tests.result_bundles import A_SUMMARY, bundle_of, keep, result_files, upload_all, with_manifest


@pytest.fixture
async def gateway(tmp_path: Path, memory_bus: MemoryBus) -> AsyncIterator[BytesGateway]:
    async with bytes_gateway(tmp_path, bus=memory_bus) as gateway:
        yield gateway


def a_saving_record() -> JobRecord:
    record = a_record()
    record.model_id = "iris"
    return a_claimed_record(record)


def claim_of(record: JobRecord) -> Claim:
    return Claim(job=JobName.parse(record.job.name), attempt=record.job.attempt, host=record.job.host)


async def a_bundle(gateway: BytesGateway, record: JobRecord, fill: float = 0.5) -> Bundle:
    return await upload_all(gateway, with_manifest(result_files(fill=fill), record))


async def commit(gateway: BytesGateway, record: JobRecord, bundle: Bundle) -> Committed:
    return await gateway.commits.commit_result(claim_of(record), bundle, A_SUMMARY)


async def stored(gateway: BytesGateway, record: JobRecord) -> JobRecord:
    return (await gateway.jobs.get(JobName.parse(record.job.name).job_id)).value


async def num_versions(gateway: BytesGateway) -> int:
    found = await gateway.models.find("demo/iris")
    return len(found.value.model.versions) if found is not None else 0


async def test_a_lost_answer_is_made_up_for_by_a_repeat(gateway: BytesGateway, memory_bus: MemoryBus) -> None:
    record = await keep(gateway, a_saving_record())
    bundle = await a_bundle(gateway, record)
    memory_bus.lose_answers(1)
    first = await commit(gateway, record, bundle)
    again = await commit(gateway, record, bundle)
    assert (first.disposition, again.disposition) == (Disposition.ACCEPTED, Disposition.DUPLICATE)
    assert first.model_version == again.model_version
    assert await num_versions(gateway) == 1


async def test_nothing_is_accepted_while_the_store_is_away(gateway: BytesGateway, memory_bus: MemoryBus) -> None:
    record = await keep(gateway, a_saving_record())
    bundle = await a_bundle(gateway, record)
    memory_bus.go_away()
    with pytest.raises(StoreUnavailable):
        await commit(gateway, record, bundle)
    memory_bus.come_back()
    assert (await commit(gateway, record, bundle)).disposition is Disposition.ACCEPTED


async def test_of_two_results_at_once_one_is_saved(gateway: BytesGateway) -> None:
    record = await keep(gateway, a_saving_record())
    bundles = [await a_bundle(gateway, record, fill) for fill in (0.25, 0.75)]
    outcomes = await asyncio.gather(*(commit(gateway, record, one) for one in bundles), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes if isinstance(outcome, BaseException)] == [AlreadySaved]
    assert await num_versions(gateway) == 1
    assert (await stored(gateway, record)).job.state == JOB_STATE_SUCCEEDED


Race = Callable[[JobRecord], JobRecord]


def _cancel(record: JobRecord) -> JobRecord:
    return request_cancel(record, message="", now=A_MOMENT) or record


def _lose(record: JobRecord) -> JobRecord:
    return lose_attempt(record, attempt=record.job.attempt, now=A_MOMENT)


def _move(record: JobRecord) -> JobRecord:
    lost = _lose(record)
    return claim_job(lost, host=facts_of(a_host("berta")), mode=EXECUTION_MODE_LOCAL, fallback_reason="", now=A_MOMENT)


@pytest.mark.parametrize(("race", "error"), [(_cancel, JobCancelled), (_lose, StaleAttempt), (_move, StaleAttempt)])
async def test_what_happens_while_the_bundle_is_checked_still_counts(
    gateway: BytesGateway, monkeypatch: pytest.MonkeyPatch, race: Race, error: type[Exception]
) -> None:
    """The fence is in the compare-and-set: the look before the check only spares a stale host the wait."""
    record = await keep(gateway, a_saving_record())
    bundle = await a_bundle(gateway, record)
    loop = asyncio.get_running_loop()

    def check_slowly(store: BlobStore, bundle: Bundle, expected: Expected) -> None:
        check_bundle(store, bundle, expected)
        changing = gateway.jobs.change(JobName.parse(record.job.name).job_id, race)
        asyncio.run_coroutine_threadsafe(changing, loop).result()

    monkeypatch.setattr("gateway.commit.check_bundle", check_slowly)
    with pytest.raises(error):
        await commit(gateway, record, bundle)
    assert not (await stored(gateway, record)).job.HasField("result")
    assert await num_versions(gateway) == 0


async def test_a_committed_result_is_a_duplicate_even_from_a_host_that_is_stale_by_now(gateway: BytesGateway) -> None:
    record = await keep(gateway, a_saving_record())
    bundle = await a_bundle(gateway, record)
    await commit(gateway, record, bundle)
    late = Claim(job=JobName.parse(record.job.name), attempt=7, host="hosts/berta")
    assert (await gateway.commits.commit_result(late, bundle, A_SUMMARY)).disposition is Disposition.DUPLICATE


async def test_an_empty_digest_is_no_repeat_of_no_result(gateway: BytesGateway) -> None:
    record = await keep(gateway, a_saving_record())
    with pytest.raises(InvalidDigest):
        await commit(gateway, record, Bundle())
    with pytest.raises(InvalidDigest):
        await gateway.commits.commit_checkpoint(claim_of(record), 0, Bundle())


async def test_a_model_that_misses_its_score_is_kept_and_not_registered(gateway: BytesGateway) -> None:
    record = a_saving_record()
    record.job.spec.eval_policy.min_scores["accuracy"] = 0.99
    await keep(gateway, record)
    committed = await commit(gateway, record, await a_bundle(gateway, record))
    assert (committed.disposition, committed.model_version) == (Disposition.ACCEPTED, "")
    assert (await stored(gateway, record)).job.state == JOB_STATE_EVAL_FAILED
    assert await num_versions(gateway) == 0


async def test_a_file_that_was_not_sent_is_asked_for(gateway: BytesGateway) -> None:
    record = await keep(gateway, a_saving_record())
    files = with_manifest(result_files(), record)
    weights = files.pop("model.safetensors")
    await upload_all(gateway, files)
    with pytest.raises(BlobMissing) as caught:
        await commit(gateway, record, bundle_of({**files, "model.safetensors": weights}))
    assert caught.value.retryable


@pytest.mark.parametrize("path", ["model.safetensors", "model.json", "history.csv", "manifest.json"])
async def test_a_file_that_has_gone_bad_is_asked_for_again(gateway: BytesGateway, path: str) -> None:
    record = await keep(gateway, a_saving_record())
    files = with_manifest(result_files(), record)
    bundle = await upload_all(gateway, files)
    digest = next(artifact.digest for artifact in bundle.artifacts if artifact.path == path)
    on_disk = gateway.blobs.path("demo", digest)
    on_disk.chmod(0o600)
    spoiled = bytearray(files[path])
    spoiled[len(spoiled) // 2] ^= 1
    on_disk.write_bytes(spoiled)
    with pytest.raises(DigestMismatch) as caught:
        await commit(gateway, record, bundle)
    assert caught.value.retryable
    assert gateway.blobs.find("demo", digest) is None
    await upload_all(gateway, files)
    assert (await commit(gateway, record, bundle)).disposition is Disposition.ACCEPTED


async def test_blobs_are_settled_on_disk_before_the_record_says_so(
    gateway: BytesGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P8: blob, folder, record, version, answer."""
    record = await keep(gateway, a_saving_record())
    bundle = await a_bundle(gateway, record)
    done: list[str] = []

    def noting(name: str, target: object, method: str) -> None:
        real = getattr(target, method)

        def call(*arguments: object, **keywords: object) -> object:
            done.append(name)
            return real(*arguments, **keywords)

        monkeypatch.setattr(target, method, call)

    noting("settle", gateway.blobs, "settle")
    noting("record", Commits, "_change")
    noting("version", gateway.registrar, "register")
    await commit(gateway, record, bundle)
    assert done[:3] == ["settle", "record", "version"]


async def test_a_checkpoint_may_be_repeated_and_never_goes_back(gateway: BytesGateway) -> None:
    record = await keep(gateway, a_saving_record())
    bundle = await a_bundle(gateway, record)
    first = await gateway.commits.commit_checkpoint(claim_of(record), 10, bundle)
    before = await gateway.jobs.get(JobName.parse(record.job.name).job_id)
    assert await gateway.commits.commit_checkpoint(claim_of(record), 10, bundle) == first
    assert (await gateway.jobs.get(before.key)).revision == before.revision


async def test_only_a_later_attempt_may_begin_before_the_newest_checkpoint(gateway: BytesGateway) -> None:
    """D53, P15: an attempt never goes back; one that could go on from no checkpoint had to begin again."""
    record = await keep(gateway, a_saving_record())
    await gateway.commits.commit_checkpoint(claim_of(record), 10, await a_bundle(gateway, record))
    with pytest.raises(OutOfRange):
        await gateway.commits.commit_checkpoint(claim_of(record), 9, await a_bundle(gateway, record, 0.25))
    later = next_attempt(await stored(gateway, record))
    await keep(gateway, later)
    again = await gateway.commits.commit_checkpoint(claim_of(later), 3, await a_bundle(gateway, later))
    assert (again.attempt, again.step) == (2, 3)
    assert (await stored(gateway, record)).previous_checkpoint.step == 10


async def test_a_job_that_is_being_cancelled_keeps_what_was_trained(gateway: BytesGateway) -> None:
    """P21."""
    record = request_cancel(a_saving_record(), message="", now=A_MOMENT)
    assert record is not None
    await keep(gateway, record)
    kept = await gateway.commits.commit_checkpoint(claim_of(record), 10, await a_bundle(gateway, record))
    assert kept.step == 10
    assert (await stored(gateway, record)).job.state == JOB_STATE_CANCELLING


async def test_an_unknown_job_is_not_found(gateway: BytesGateway) -> None:
    record = a_saving_record()
    with pytest.raises(NotFound):
        await commit(gateway, record, bundle_of(with_manifest(result_files(), record)))
