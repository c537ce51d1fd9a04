"""ResultService on the wire."""

from collections.abc import AsyncIterator
from types import MappingProxyType

from gateway.claims import read_claim
from gateway.commit import Commits, Disposition
from gateway.telemetry import Telemetry
from headway.runtime.failpoints import failpoint
from headway.v1 import results_service_pb2 as messages
from headway.v1.results_service_pb2_grpc import ResultServiceServicer

_DISPOSITIONS = MappingProxyType(
    {
        Disposition.ACCEPTED: messages.CommitResultResponse.DISPOSITION_ACCEPTED,
        Disposition.DUPLICATE: messages.CommitResultResponse.DISPOSITION_DUPLICATE,
    }
)


class ResultService(ResultServiceServicer):
    """What trainer hosts send back."""

    def __init__(self, commits: Commits, telemetry: Telemetry) -> None:
        self._commits = commits
        self._telemetry = telemetry

    async def CommitResult(  # noqa: N802 - gRPC's name
        self, request: messages.CommitResultRequest, _context: object
    ) -> messages.CommitResultResponse:
        """Make a bundle the job's result."""
        claim = read_claim(request.job, request.attempt, request.host)
        committed = await self._commits.commit_result(claim, request.bundle, request.summary)
        failpoint("save.s7.before")
        return messages.CommitResultResponse(
            disposition=_DISPOSITIONS[committed.disposition], model_version=committed.model_version
        )

    async def CommitCheckpoint(  # noqa: N802
        self, request: messages.CommitCheckpointRequest, _context: object
    ) -> messages.CommitCheckpointResponse:
        """Make a bundle the job's newest checkpoint."""
        claim = read_claim(request.job, request.attempt, request.host)
        checkpoint = await self._commits.commit_checkpoint(claim, request.step, request.bundle)
        return messages.CommitCheckpointResponse(checkpoint=checkpoint)

    async def ReportTelemetry(  # noqa: N802
        self, request_iterator: AsyncIterator[messages.ReportTelemetryRequest], _context: object
    ) -> messages.ReportTelemetryResponse:
        """Take progress and lines in."""
        return messages.ReportTelemetryResponse(num_lines=await self._telemetry.receive(request_iterator))
