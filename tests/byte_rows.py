"""What rows of the abuse corpus ask of the bytes half of the gateway: the error of a call, and that it still serves."""

from collections.abc import Awaitable

import pytest

from headway.runtime.remote_error import RemoteError, answer
from headway.v1.records_pb2 import JobRecord
from headway.v1.results_service_pb2 import CommitResultResponse
from tests.bytes_gateway import BytesGateway
from tests.result_bundles import commit_request, result_files, upload_all, with_manifest


async def refused(call: Awaitable[object]) -> RemoteError:
    """The error of a call that must be refused."""
    with pytest.raises(RemoteError) as caught:
        await answer(call)
    assert len(caught.value.message) < 1024
    return caught.value


async def still_accepts(gateway: BytesGateway, record: JobRecord) -> None:
    """The good bundle of the same job is taken."""
    bundle = await upload_all(gateway, with_manifest(result_files(fill=0.125), record))
    accepted = await gateway.result.CommitResult(commit_request(record, bundle))
    assert accepted.disposition == CommitResultResponse.DISPOSITION_ACCEPTED


def next_attempt(record: JobRecord) -> JobRecord:
    """The record as it is when another attempt has begun since."""
    changed = JobRecord()
    changed.CopyFrom(record)
    changed.job.attempt += 1
    changed.job.attempts.add().CopyFrom(record.job.attempts[-1])
    changed.job.attempts[-1].number = changed.job.attempt
    return changed
