"""A scheduler and a gateway for one trainer host, over real gRPC; and the host itself, as a process."""

import asyncio
import os
import signal
import subprocess
import sys
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import grpc.aio

from headway.contract.access import METHOD_SCOPES, Scope
from headway.contract.digests import sha256_of
from headway.contract.errors import DigestMismatch, HeadwayError, InvalidGzip, InvalidManifest, NotFound, StreamProtocol
from headway.contract.ids import JobName, new_job_id
from headway.contract.limits import CHUNK_BYTES
from headway.contract.times import duration
from headway.runtime.grpc_server import GrpcServer, ServerOptions
from headway.runtime.keys import make_key, write_key_file
from headway.runtime.principal import Principal
from headway.testing.toy_recipe import TOY_KIND, TOY_RECIPE, ToySpec
from headway.v1 import blobs_service_pb2, results_service_pb2, scheduler_service_pb2
from headway.v1.blobs_service_pb2 import (
    DownloadBlobResponse,
    FindMissingBlobsResponse,
    QueryUploadResponse,
    UploadBlobRequest,
    UploadBlobResponse,
)
from headway.v1.blobs_service_pb2_grpc import BlobServiceServicer, add_BlobServiceServicer_to_server
from headway.v1.job_specs_pb2 import EXECUTION_MODE_LOCAL
from headway.v1.jobs_pb2 import PinnedInput, Progress
from headway.v1.jobs_service_pb2 import LogLine
from headway.v1.results_service_pb2 import CommitResultRequest, CommitResultResponse, ReportTelemetryResponse
from headway.v1.results_service_pb2_grpc import ResultServiceServicer, add_ResultServiceServicer_to_server
from headway.v1.scheduler_service_pb2 import AttemptOrder, AttemptReport, SynchronizeRequest, SynchronizeResponse
from headway.v1.scheduler_service_pb2_grpc import SchedulerServiceServicer, add_SchedulerServiceServicer_to_server
from trainer_host.attempt_key import AttemptKey

NO_TORCH = "raise ImportError('these tests do without torch')\n"


class AnyKey:
    """Lets everybody in."""

    async def authenticate(self, key: str | None) -> Principal:
        return Principal(key_id="k", user_id="u", scopes=frozenset({Scope.ADMIN}), projects=frozenset({"*"}))


class FakeScheduler(SchedulerServiceServicer):
    """Wants what the test puts into `orders`, `stops` and `releases`, and says so at once."""

    def __init__(self, *, beat_seconds: float = 0.3) -> None:
        self.orders: dict[AttemptKey, AttemptOrder] = {}
        self.stops: dict[AttemptKey, int] = {}
        self.releases: set[AttemptKey] = set()
        self.messages: list[SynchronizeRequest] = []
        self.is_silent = False
        self.refusals: list[HeadwayError] = []
        self.num_streams = 0
        self._beat_seconds = beat_seconds
        self._wakes: list[asyncio.Event] = []

    def order(self, order: AttemptOrder) -> AttemptKey:
        key = AttemptKey.of(order)
        self.orders[key] = order
        self.wake()
        return key

    def stop(self, key: AttemptKey, reason: int) -> None:
        self.stops[key] = reason
        self.wake()

    def release(self, key: AttemptKey) -> None:
        self.orders.pop(key, None)
        self.stops.pop(key, None)
        self.releases.add(key)
        self.wake()

    def wake(self) -> None:
        for event in self._wakes:
            event.set()

    def report(self, key: AttemptKey) -> AttemptReport | None:
        """What the newest message said of an attempt."""
        for report in self.messages[-1].attempts if self.messages else ():
            if AttemptKey.of(report) == key:
                return report
        return None

    def outcome(self, key: AttemptKey) -> int:
        report = self.report(key)
        return report.outcome if report is not None else 0

    def phase(self, key: AttemptKey) -> int:
        report = self.report(key)
        return report.phase if report is not None else 0

    async def Synchronize(  # noqa: N802
        self,
        request_iterator: AsyncIterator[SynchronizeRequest],
        context: grpc.aio.ServicerContext[SynchronizeRequest, SynchronizeResponse],
    ) -> AsyncIterator[SynchronizeResponse]:
        self.num_streams += 1
        if self.refusals:
            raise self.refusals.pop()
        wake = asyncio.Event()
        self._wakes.append(wake)

        async def listen() -> None:
            async for message in request_iterator:
                self.messages.append(message)
                wake.set()

        async with asyncio.TaskGroup() as group:
            listening = group.create_task(listen())
            listening.add_done_callback(lambda _: wake.set())
            try:
                while not listening.done():
                    await wake.wait()
                    wake.clear()
                    if not self.is_silent and self.messages:
                        yield self._desired()
            finally:
                self._wakes.remove(wake)
                listening.cancel()

    def _desired(self) -> SynchronizeResponse:
        return SynchronizeResponse(
            sequence=self.messages[-1].sequence,
            run=list(self.orders.values()),
            stop=[
                scheduler_service_pb2.AttemptStop(job=key.job, attempt=key.attempt, reason=reason)  # type: ignore[arg-type]
                for key, reason in self.stops.items()
            ],
            release=[key.reference() for key in self.releases],
            next_sync_delay=duration(timedelta(seconds=self._beat_seconds)),
            lease_duration=duration(timedelta(seconds=5 * self._beat_seconds)),
        )


@dataclass
class Faults:
    """What goes wrong: errors to raise, by method, each once."""

    errors: dict[str, list[HeadwayError]] = field(default_factory=dict)
    cut_upload_after_bytes: int | None = None
    flip_upload_bit: bool = False

    def raise_next(self, method: str) -> None:
        waiting = self.errors.get(method)
        if waiting:
            error = waiting.pop(0)
            if not waiting:
                del self.errors[method]
            raise error


class FakeGateway(BlobServiceServicer, ResultServiceServicer):
    """Keeps blobs and commits in memory."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.parts: dict[str, bytearray] = {}
        self.commits: list[CommitResultRequest] = []
        self.progress: list[Progress] = []
        self.lines: dict[AttemptKey, dict[int, LogLine]] = {}
        self.calls: list[str] = []
        self.upload_offsets: list[int] = []
        self.download_offsets: list[int] = []
        self.faults = Faults()
        self._commits_go = asyncio.Event()
        self._commits_go.set()
        self._downloads_go = asyncio.Event()
        self._downloads_go.set()
        self._uploads_go = asyncio.Event()
        self._uploads_go.set()

    def hold_downloads(self) -> None:
        """Let no download through."""
        self._downloads_go.clear()

    def hold_uploads(self) -> None:
        """Let no upload begin for now."""
        self._uploads_go.clear()

    def let_uploads_go(self) -> None:
        self._uploads_go.set()

    def hold_commits(self) -> None:
        """Let no commit through for now."""
        self._commits_go.clear()

    def let_commits_go(self) -> None:
        self._commits_go.set()

    def add(self, content: bytes, *, role: str = "table") -> PinnedInput:
        """A blob as an order names it."""
        digest = sha256_of(content)
        self.blobs[digest] = content
        return PinnedInput(role=role, digest=digest, size_bytes=len(content), format="csv")

    async def FindMissingBlobs(self, request, context):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201, N802
        self.calls.append("FindMissingBlobs")
        self.faults.raise_next("FindMissingBlobs")
        await self._uploads_go.wait()
        return FindMissingBlobsResponse(missing_digests=[one for one in request.digests if one not in self.blobs])

    async def QueryUpload(self, request, context):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201, N802
        kept = len(self.parts.get(request.digest, b""))
        return QueryUploadResponse(committed_size_bytes=kept, complete=request.digest in self.blobs)

    async def UploadBlob(self, request_iterator: AsyncIterator[UploadBlobRequest], context):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201, N802
        self.calls.append("UploadBlob")
        self.faults.raise_next("UploadBlob at once")
        header = (await anext(request_iterator)).header
        self.upload_offsets.append(header.offset_bytes)
        part = self.parts.setdefault(header.digest, bytearray())
        if header.offset_bytes != len(part):
            raise StreamProtocol("go on behind what is kept")
        gunzip = zlib.decompressobj(wbits=31)
        offset = 0
        async for message in request_iterator:
            if message.chunk.offset_bytes != offset or not 0 < len(message.chunk.data) <= CHUNK_BYTES:
                raise StreamProtocol("chunks have no gaps and are neither empty nor too large")
            offset += len(message.chunk.data)
            part += _unpacked(gunzip, message.chunk.data)
            limit = self.faults.cut_upload_after_bytes
            if limit is not None and len(part) >= limit:
                self.faults.cut_upload_after_bytes = None
                raise DigestMismatch("cut off by the test")
        if "UploadBlob" in self.faults.errors:
            del self.parts[header.digest]
            self.faults.raise_next("UploadBlob")
        if not gunzip.eof:
            raise InvalidGzip("the gzip member is not whole")
        del self.parts[header.digest]
        content = bytes(part)
        if self.faults.flip_upload_bit:
            self.faults.flip_upload_bit = False
            raise DigestMismatch("a bit was flipped by the test")
        if sha256_of(content) != header.digest or len(content) != header.size_bytes:
            raise DigestMismatch("this is not the content that was announced")
        self.blobs[header.digest] = content
        return UploadBlobResponse(digest=header.digest, size_bytes=len(content))

    async def DownloadBlob(self, request, context):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201, N802
        self.calls.append("DownloadBlob")
        self.faults.raise_next("DownloadBlob")
        await self._downloads_go.wait()
        self.download_offsets.append(request.offset_bytes)
        content = self.blobs.get(request.digest)
        if content is None:
            raise NotFound("no such blob")
        for start in range(request.offset_bytes, len(content), 256 * 1024):
            yield DownloadBlobResponse(data=content[start : start + 256 * 1024])

    async def CommitResult(self, request: CommitResultRequest, context):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201, N802
        self.calls.append("CommitResult")
        self.faults.raise_next("CommitResult")
        await self._commits_go.wait()
        if any(one.digest not in self.blobs for one in request.bundle.artifacts):
            raise InvalidManifest("a file was not uploaded")
        if any(one.bundle.digest == request.bundle.digest for one in self.commits):
            return CommitResultResponse(disposition=CommitResultResponse.DISPOSITION_DUPLICATE)
        self.commits.append(request)
        # It was done, and nobody hears of it.
        self.faults.raise_next("CommitResult unseen")
        return CommitResultResponse(disposition=CommitResultResponse.DISPOSITION_ACCEPTED)

    async def ReportTelemetry(self, request_iterator, context):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201, N802
        self.calls.append("ReportTelemetry")
        self.faults.raise_next("ReportTelemetry")
        num_lines = 0
        async for message in request_iterator:
            if message.HasField("progress"):
                self.progress.append(message.progress)
            for line in message.lines:
                self.lines.setdefault(AttemptKey.of(message), {})[line.number] = line
                num_lines += 1
        return ReportTelemetryResponse(num_lines=num_lines)


def _unpacked(gunzip: "zlib._Decompress", data: bytes) -> bytes:
    try:
        return gunzip.decompress(data)
    except zlib.error:
        raise InvalidGzip("this is no gzip") from None


def new_server(port: int = 0) -> GrpcServer:
    options = ServerOptions(drain_seconds=0.1)
    return GrpcServer(f"127.0.0.1:{port}", authenticator=AnyKey(), scopes=METHOD_SCOPES, options=options)


@asynccontextmanager
async def serving_scheduler(scheduler: FakeScheduler, port: int = 0) -> AsyncIterator[str]:
    server = new_server(port)
    descriptor = scheduler_service_pb2.DESCRIPTOR.services_by_name["SchedulerService"]
    server.add(add_SchedulerServiceServicer_to_server, scheduler, descriptor)
    async with server:
        yield server.address


@asynccontextmanager
async def serving_gateway(gateway: FakeGateway, port: int = 0) -> AsyncIterator[str]:
    server = new_server(port)
    blobs = blobs_service_pb2.DESCRIPTOR.services_by_name["BlobService"]
    results = results_service_pb2.DESCRIPTOR.services_by_name["ResultService"]
    server.add(add_BlobServiceServicer_to_server, gateway, blobs)
    server.add(add_ResultServiceServicer_to_server, gateway, results)
    async with server:
        yield server.address


class HostProcess:
    """`python -m trainer_host` with a home of its own."""

    def __init__(self, home: Path, scheduler: str, gateway: str, **settings: str) -> None:
        self.home = home
        self.log_path = home.parent / "trainer_host.log"
        self._settings = {"SCHEDULER_ADDRESS": scheduler, "GATEWAY_ADDRESS": gateway, **settings}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def host_dir(self) -> Path:
        return self.home / "hosts" / "h1"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        key_path = self.home / "keys" / "local.key"
        if not key_path.exists():
            write_key_file(key_path, make_key().text)
        without_torch = self.home.parent / "no_torch"
        without_torch.mkdir(exist_ok=True)
        (without_torch / "torch.py").write_text(NO_TORCH)
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "trainer_host"], env=self._environment(without_torch), stderr=log
            )

    def _environment(self, without_torch: Path) -> Mapping[str, str]:
        settings = {
            "HOST_ID": "h1",
            "LISTEN": "127.0.0.1:0",
            "RECIPES": f'["{TOY_RECIPE}"]',
            "DELIVERY_WAIT_MAX_SECONDS": "2",
            **self._settings,
        }
        return {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(without_torch), os.getcwd()]),
            "HEADWAY_HOME": str(self.home),
            "HEADWAY_TESTING": "1",
            "HEADWAY_LOG_LEVEL": "debug",
            **{f"HEADWAY_TRAINER_HOST__{name}": value for name, value in settings.items()},
        }

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        """As a crash of the agent."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self, timeout_seconds: float = 10) -> int:
        """As a graceful end; returns the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(timeout_seconds)

    def wait(self, timeout_seconds: float = 10) -> int:
        """Its exit code."""
        assert self._process is not None
        return self._process.wait(timeout_seconds)

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def log(self) -> str:
        return self.log_path.read_text()


@contextmanager
def running_host(home: Path, scheduler: str, gateway: str, **settings: str) -> Iterator[HostProcess]:
    home.mkdir(parents=True, exist_ok=True)
    host = HostProcess(home, scheduler, gateway, **settings)
    host.start()
    try:
        yield host
    finally:
        host.close()


def toy_order(
    *, inputs: tuple[PinnedInput, ...] = (), attempt: int = 1, job_id: str = "", **toy: float | str | bool
) -> AttemptOrder:
    """An order to run the toy."""
    return AttemptOrder(
        job=JobName("p", job_id or new_job_id()).name,
        attempt=attempt,
        spec=ToySpec.model_validate(toy).job_spec(),
        kind=TOY_KIND,
        inputs=inputs,
        mode=EXECUTION_MODE_LOCAL,
        user_id="me",
    )
