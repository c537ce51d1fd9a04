"""Row E7 of the abuse corpus over gRPC: tokens that lead nowhere. Bounds and slow readers: test_gateway_watches.py."""

import base64
from collections.abc import Callable
from contextlib import aclosing

import pytest

from gateway.watch_token import write_watch_token
from headway.contract.errors import Code
from headway.runtime.remote_error import answer, responses
from headway.v1.jobs_service_pb2 import GetJobRequest, WatchJobRequest
from tests.abuse.harness import Row, judge
from tests.jobs_gateway import Gateway, create

pytestmark = pytest.mark.asyncio(loop_scope="module")
OTHER = "j" + "a" * 25
TOKENS: dict[str, Callable[[str], str]] = {
    "from the future": lambda job_id: write_watch_token(job_id, 99),
    "of another job": lambda _: write_watch_token(OTHER, 1),
    "negative": lambda job_id: base64.urlsafe_b64encode(f"{job_id}:-1".encode()).decode().rstrip("="),
    "made up": lambda _: "bm90IG91cnM",
    "not base64": lambda _: "%%%",
    "of 10 KB": lambda _: "x" * 10_000,
}


@pytest.mark.parametrize("what", TOKENS)
async def test_a_token_that_leads_nowhere_is_told_so_e7(what: str, gateway: Gateway) -> None:
    job = await create(gateway)
    token = TOKENS[what](job.name.rpartition("/")[2])

    async def watch(target: Gateway) -> object:
        request = WatchJobRequest(name=job.name, resume_token=token)
        async with aclosing(responses(target.jobs.WatchJob(request))) as messages:
            return await anext(messages)

    row = Row(id="E7", what=what, send=watch, code=Code.OUT_OF_RANGE, reason="RESUME_TOKEN_EXPIRED", sent=token[100:])
    error = await judge(row, gateway, good=lambda: answer(gateway.jobs.GetJob(GetJobRequest(name=job.name))))
    assert "snapshot" in error.message
