"""A gateway that knows one job, one model version and the blobs of both: real gRPC, nothing behind it."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc.aio

from headway.client import HeadwayClient
from headway.v1.blobs_service_pb2_grpc import add_BlobServiceServicer_to_server
from headway.v1.jobs_pb2 import Artifact, Bundle, Job
from headway.v1.jobs_service_pb2_grpc import add_JobServiceServicer_to_server
from headway.v1.models_pb2 import Model, ModelVersion
from headway.v1.models_service_pb2 import (
    DownloadModelVersionRequest,
    DownloadModelVersionResponse,
    GetModelRequest,
    GetModelVersionRequest,
    ListModelsRequest,
    ListModelsResponse,
    PredictRequest,
    PredictResponse,
)
from headway.v1.models_service_pb2_grpc import ModelServiceServicer, add_ModelServiceServicer_to_server
from tests.scripted_blobs import ScriptedBlobs, digest
from tests.unit.client.scripted_gateway import ScriptedJobs


@dataclass
class OneVersion(ModelServiceServicer):
    """Answers with its version; what was asked for is kept."""

    version: ModelVersion = field(default_factory=ModelVersion)
    names: list[str] = field(default_factory=list)

    async def GetModelVersion(self, request: GetModelVersionRequest, context: object) -> ModelVersion:  # noqa: N802 - gRPC's name
        self.names.append(request.name)
        return self.version

    # Nobody asks for these here.

    async def GetModel(self, request: GetModelRequest, context: object) -> Model:  # noqa: N802 - gRPC's name
        raise NotImplementedError

    async def ListModels(self, request: ListModelsRequest, context: object) -> ListModelsResponse:  # noqa: N802 - gRPC's name
        raise NotImplementedError

    def DownloadModelVersion(  # noqa: N802 - gRPC's name
        self, request: DownloadModelVersionRequest, context: object
    ) -> AsyncIterator[DownloadModelVersionResponse]:
        raise NotImplementedError

    async def Predict(self, request: PredictRequest, context: object) -> PredictResponse:  # noqa: N802 - gRPC's name
        raise NotImplementedError


@asynccontextmanager
async def teacher_gateway(
    *, job: Job | None = None, version: ModelVersion | None = None, files: dict[str, bytes] | None = None
) -> AsyncGenerator[tuple[HeadwayClient, OneVersion]]:
    """A client, and the model service that it asks."""
    models = OneVersion(version or ModelVersion())
    server = grpc.aio.server()
    add_JobServiceServicer_to_server(ScriptedJobs(job=job or Job()), server)
    add_ModelServiceServicer_to_server(models, server)
    blobs = {digest(content): content for content in (files or {}).values()}
    add_BlobServiceServicer_to_server(ScriptedBlobs(blobs=blobs), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with HeadwayClient.connect(f"127.0.0.1:{port}", "hw_test") as client:
            yield client, models
    finally:
        await server.stop(None)


def a_bundle(files: dict[str, bytes]) -> Bundle:
    return Bundle(
        artifacts=[
            Artifact(path=path, digest=digest(content), size_bytes=len(content)) for path, content in files.items()
        ]
    )
