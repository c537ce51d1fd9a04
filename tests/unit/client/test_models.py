"""What a name means to `predict`, and how a version is asked where a run may be meant."""

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from headway.client import HeadwayClient, RowsToAnswer
from headway.contract.errors import Code, InvalidName
from headway.runtime.remote_error import RemoteError
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

JOB_ID = "j" + "a" * 25
RUN = f"projects/demo/jobs/{JOB_ID}"
ROWS = RowsToAnswer.of_csv("a\n1\n")


class Asked(ModelServiceServicer):
    """Notes each name, and knows one."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.known = ""

    async def Predict(  # noqa: N802 - gRPC's name
        self, request: PredictRequest, context: grpc.aio.ServicerContext[PredictRequest, PredictResponse]
    ) -> PredictResponse:
        """Answer for the known name."""
        self.names.append(request.name)
        if request.name != self.known:
            await context.abort(grpc.StatusCode.NOT_FOUND, "there is none")
        return PredictResponse(model=request.name)

    # Nobody asks for these here.

    async def GetModel(self, request: GetModelRequest, context: object) -> Model:  # noqa: N802 - gRPC's name
        raise NotImplementedError

    async def GetModelVersion(  # noqa: N802 - gRPC's name
        self, request: GetModelVersionRequest, context: object
    ) -> ModelVersion:
        raise NotImplementedError

    async def ListModels(  # noqa: N802 - gRPC's name
        self, request: ListModelsRequest, context: object
    ) -> ListModelsResponse:
        raise NotImplementedError

    def DownloadModelVersion(  # noqa: N802 - gRPC's name
        self, request: DownloadModelVersionRequest, context: object
    ) -> AsyncIterator[DownloadModelVersionResponse]:
        raise NotImplementedError


@pytest.fixture
async def asked() -> AsyncIterator[tuple[Asked, str]]:
    server, servicer = grpc.aio.server(), Asked()
    add_ModelServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield servicer, f"127.0.0.1:{port}"
    await server.stop(0)


@pytest.mark.parametrize(
    ("text", "known", "names"),
    [
        ("iris", "projects/demo/models/iris/versions/latest", 1),
        ("iris@3", "projects/demo/models/iris/versions/3", 1),
        (RUN, RUN, 1),
        (JOB_ID, f"projects/demo/models/{JOB_ID}/versions/latest", 1),
        (JOB_ID, RUN, 2),
        (f"{JOB_ID}@1", f"projects/demo/models/{JOB_ID}/versions/1", 1),
    ],
)
async def test_a_name_is_a_version_or_a_run(
    asked: tuple[Asked, str], tmp_path: Path, text: str, known: str, names: int
) -> None:
    servicer, address = asked
    servicer.known = known
    async with HeadwayClient.connect(address, "key", project="demo", home=tmp_path) as client:
        assert (await client.models.predict(text, ROWS)).model == known
    assert len(servicer.names) == names


async def test_a_name_that_is_neither_is_not_found(asked: tuple[Asked, str], tmp_path: Path) -> None:
    servicer, address = asked
    async with HeadwayClient.connect(address, "key", project="demo", home=tmp_path) as client:
        with pytest.raises(RemoteError) as refused:
            await client.models.predict(JOB_ID, ROWS)
        assert refused.value.code is Code.NOT_FOUND
        assert servicer.names[-1] == RUN
        with pytest.raises(InvalidName):
            await client.models.predict("Not A Name", ROWS)
