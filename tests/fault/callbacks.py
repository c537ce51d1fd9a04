"""What tests of callbacks need: a running job whose model is saved, its bundle, and what became of both."""

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path

from headway.contract.ids import JobName
from headway.contract.subjects import EVENTS, model_event_subject
from headway.runtime.bus import Bus
from headway.runtime.remote_error import RemoteError, answer
from headway.testing.builders import a_claimed_record, a_record
from headway.v1.jobs_pb2 import Bundle, Job
from headway.v1.records_pb2 import JobRecord
from headway.v1.results_service_pb2 import CommitResultResponse
from tests.bytes_gateway import BytesGateway
from tests.result_bundles import commit_request, keep, result_files, upload_all, with_manifest

MODEL = "iris"
ACCEPTED = "ACCEPTED"
DUPLICATE = "DUPLICATE"
_WORDS = {
    CommitResultResponse.DISPOSITION_ACCEPTED: ACCEPTED,
    CommitResultResponse.DISPOSITION_DUPLICATE: DUPLICATE,
}


async def a_saving_job(gateway: BytesGateway) -> JobRecord:
    """A job that a host holds, and whose model is saved."""
    record = a_record()
    record.model_id = MODEL
    return await keep(gateway, a_claimed_record(record))


async def a_bundle(gateway: BytesGateway, record: JobRecord, fill: float = 0.5) -> Bundle:
    """A result of the record's attempt, uploaded."""
    return await upload_all(gateway, with_manifest(result_files(fill=fill), record))


async def said(call: Awaitable[CommitResultResponse]) -> str:
    """What a commit was answered: ACCEPTED, DUPLICATE, or the reason of the refusal."""
    try:
        return _WORDS[(await answer(call)).disposition]
    except RemoteError as error:
        return error.reason


async def outcome(call: Awaitable[object]) -> str:
    """The reason of a refusal; empty when it was taken."""
    try:
        await answer(call)
    except RemoteError as error:
        # A client that still writes at that moment may hear its own library's error instead of the status.
        return "STREAM_PROTOCOL" if "from Core" in error.message else error.reason
    return ""


async def committed(gateway: BytesGateway, record: JobRecord, bundle: Bundle) -> str:
    """Send a result; what was answered."""
    return await said(gateway.result.CommitResult(commit_request(record, bundle)))


async def stored(gateway: BytesGateway, record: JobRecord) -> Job:
    """The job as it now is."""
    return (await gateway.jobs.get(job_id_of(record))).value.job


def job_id_of(record: JobRecord) -> str:
    """The key of the record."""
    return JobName.parse(record.job.name).job_id


async def versions(gateway: BytesGateway) -> list[str]:
    """Digests of every version of the model."""
    found = await gateway.models.find(f"demo/{MODEL}")
    return [version.bundle.digest for version in found.value.model.versions] if found is not None else []


async def num_registrations(bus: Bus) -> int:
    """How many events say that a version was registered."""
    subject, found = model_event_subject("registered", "demo", MODEL), 0
    async with bus.feed(EVENTS) as feed:
        while not feed.is_caught_up:
            found += (await anext(aiter(feed))).subject == subject
    return found


def litter(home: Path) -> list[str]:
    """Files of uploads that are neither visible nor gone."""
    return [path.name for path in (home / "gateway" / "blobs").glob("*/incoming/*")]


@asynccontextmanager
async def one_saved_model(gateway: BytesGateway, record: JobRecord) -> AsyncIterator[None]:
    """After the block there is exactly one model of the job: one version, told once, of the committed result."""
    yield
    result = (await stored(gateway, record)).result
    assert await versions(gateway) == [result.bundle.digest]
    assert await num_registrations(gateway.bus) == 1
    assert litter(gateway.home) == []
