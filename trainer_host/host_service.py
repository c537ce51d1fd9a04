"""TrainerHostService: what an operator may ask of one host. Translates; decides nothing."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator

import grpc.aio

from headway.contract.errors import NotFound
from headway.contract.ids import HostName, JobName
from headway.v1.hosts_pb2 import Host
from headway.v1.scheduler_service_pb2 import AttemptReport
from headway.v1.trainer_hosts_service_pb2 import (
    FetchResultRequest,
    FetchResultResponse,
    GetAttemptRequest,
    GetHostRequest,
    ListAttemptsRequest,
    ListAttemptsResponse,
)
from headway.v1.trainer_hosts_service_pb2_grpc import TrainerHostServiceServicer
from trainer_host.attempt_key import AttemptKey
from trainer_host.attempts import AttemptTable
from trainer_host.outbox import Outbox
from trainer_host.result_tar import tar_pieces

_SELF = "hosts/self"


class HostService(TrainerHostServiceServicer):
    """Reads of the attempt table and of the outbox."""

    def __init__(self, describe: Callable[[], Host], table: AttemptTable, outbox: Outbox) -> None:
        self._describe = describe
        self._table = table
        self._outbox = outbox

    async def GetHost(  # noqa: N802 - gRPC names it
        self, request: GetHostRequest, _context: grpc.aio.ServicerContext[GetHostRequest, Host]
    ) -> Host:
        self._check_host("name", request.name)
        return self._describe()

    async def ListAttempts(  # noqa: N802 - gRPC names it
        self,
        request: ListAttemptsRequest,
        _context: grpc.aio.ServicerContext[ListAttemptsRequest, ListAttemptsResponse],
    ) -> ListAttemptsResponse:
        self._check_host("parent", request.parent)
        return ListAttemptsResponse(attempts=self._table.reports())

    async def GetAttempt(  # noqa: N802 - gRPC names it
        self, request: GetAttemptRequest, _context: grpc.aio.ServicerContext[GetAttemptRequest, AttemptReport]
    ) -> AttemptReport:
        report = self._table.get(_key_of(request))
        if report is None:
            raise _not_here(request)
        return report

    async def FetchResult(  # noqa: N802 - gRPC names it
        self,
        request: FetchResultRequest,
        _context: grpc.aio.ServicerContext[FetchResultRequest, FetchResultResponse],
    ) -> AsyncGenerator[FetchResultResponse, None]:
        entry = await asyncio.to_thread(self._outbox.find, _key_of(request))
        if entry is None:
            raise _not_here(request)
        pieces = tar_pieces(entry.request.bundle, entry.bundle_dir)
        while (piece := await asyncio.to_thread(_next_piece, pieces)) is not None:
            yield FetchResultResponse(data=piece)

    def _check_host(self, field: str, name: str) -> None:
        if name not in (_SELF, self._describe().name):
            HostName.parse(name, field=field)
            raise NotFound(f"this is {self._describe().name}; ask that, or {_SELF}", metadata={"name": name})


def _key_of(request: GetAttemptRequest | FetchResultRequest) -> AttemptKey:
    return AttemptKey(JobName.parse(request.job, field="job").name, request.attempt)


def _not_here(request: GetAttemptRequest | FetchResultRequest) -> NotFound:
    return NotFound(
        f"this host holds no attempt {request.attempt} of {request.job}",
        metadata={"job": request.job, "attempt": str(request.attempt)},
    )


def _next_piece(pieces: Iterator[bytes]) -> bytes | None:
    return next((piece for piece in pieces if piece), None)
