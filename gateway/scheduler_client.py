"""Asks the scheduler."""

import grpc

from headway.contract.errors import Code
from headway.runtime.remote_error import RemoteError, answer
from headway.v1.jobs_service_pb2 import ExplainJobResponse
from headway.v1.scheduler_service_pb2 import ExplainRequest
from headway.v1.scheduler_service_pb2_grpc import SchedulerServiceStub

TIMEOUT_SECONDS = 2.0
"""An explanation is worth no longer wait: the gateway has one of its own."""


class SchedulerClient:
    """The scheduler behind a channel, which connects when it is first used."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = SchedulerServiceStub(channel)

    async def explain(self, job_name: str) -> ExplainJobResponse:
        """Its view of a job.

        Raises:
            RemoteError: it does not answer, or does not know the job yet.
        """
        explanation = await answer(self._stub.Explain(ExplainRequest(job=job_name), timeout=TIMEOUT_SECONDS))
        if not explanation.summary:
            raise RemoteError(Code.NOT_FOUND, "NOT_FOUND", "the scheduler says nothing")
        return explanation
