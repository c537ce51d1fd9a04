"""Asks the scheduler, whichever of them leads."""

from headway.contract.errors import Code
from headway.runtime.leader_finder import LeaderFinder
from headway.runtime.remote_error import RemoteError, answer
from headway.v1.jobs_service_pb2 import ExplainJobResponse
from headway.v1.scheduler_service_pb2 import ExplainRequest
from headway.v1.scheduler_service_pb2_grpc import SchedulerServiceStub

SCHEDULER_SERVICE = "headway.v1.SchedulerService"
TIMEOUT_SECONDS = 2.0
"""An explanation is worth no longer wait: the gateway has one of its own."""


class SchedulerClient:
    """The schedulers behind their channels, which connect when they are first used."""

    def __init__(self, schedulers: LeaderFinder) -> None:
        self._schedulers = schedulers

    async def explain(self, job_name: str) -> ExplainJobResponse:
        """Its view of a job.

        Raises:
            RemoteError: none of them answers, or it does not know the job yet.
        """
        if self._schedulers.is_alone:
            explanation = await self._ask(job_name, TIMEOUT_SECONDS)
        else:
            explanation = await self._ask_twice(job_name)
        if not explanation.summary:
            raise RemoteError(Code.NOT_FOUND, "NOT_FOUND", "the scheduler says nothing")
        return explanation

    async def _ask_twice(self, job_name: str) -> ExplainJobResponse:
        """The one that was found last may lead no longer; the one that does is a question away."""
        try:
            return await self._ask(job_name, TIMEOUT_SECONDS / 2)
        except RemoteError as error:
            self._schedulers.forget()
            if error.code not in (Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED):
                raise
        return await self._ask(job_name, TIMEOUT_SECONDS / 2)

    async def _ask(self, job_name: str, timeout_seconds: float) -> ExplainJobResponse:
        scheduler = SchedulerServiceStub(await self._schedulers.channel())
        return await answer(scheduler.Explain(ExplainRequest(job=job_name), timeout=timeout_seconds))
