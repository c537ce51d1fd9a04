"""ModelService on the wire."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from types import MappingProxyType

from gateway.blobs.disk_threads import DiskThreads
from gateway.blobs.store import BlobStore
from gateway.list_fields import Field, TextField, TimeField
from gateway.listing import Asked, Listed, list_page
from gateway.model_tar import tar_of
from gateway.models import ModelStore
from gateway.predict import Predictor
from gateway.rights import require_project
from headway.contract.ids import ModelName, ModelVersionName, ProjectName
from headway.contract.times import moment
from headway.runtime.principal import current_principal
from headway.v1 import models_service_pb2 as messages
from headway.v1.models_pb2 import Model, ModelVersion
from headway.v1.models_service_pb2_grpc import ModelServiceServicer


def _id(model: Model) -> str:
    return ModelName.parse(model.name).resource_id


_FIELDS: Mapping[str, Field[Model]] = MappingProxyType(
    {
        "model_id": TextField(_id),
        "create_time": TimeField(lambda model: moment(model.create_time)),
        "update_time": TimeField(lambda model: moment(model.update_time)),
    }
)
LISTED = Listed("models", "model_id", _id, _FIELDS)


class ModelService(ModelServiceServicer):
    """Models."""

    def __init__(self, models: ModelStore, predictor: Predictor, blobs: BlobStore, threads: DiskThreads) -> None:
        self._models = models
        self._predictor = predictor
        self._blobs = blobs
        self._threads = threads

    async def GetModel(self, request: messages.GetModelRequest, _context: object) -> Model:  # noqa: N802 - gRPC's name
        """Read a model."""
        name = ModelName.parse(request.name)
        require_project(current_principal(), name.project)
        return await self._models.get(name)

    async def GetModelVersion(  # noqa: N802
        self, request: messages.GetModelVersionRequest, _context: object
    ) -> ModelVersion:
        """Read one version."""
        return await self._models.get_version(_readable(request.name))

    async def ListModels(  # noqa: N802
        self, request: messages.ListModelsRequest, _context: object
    ) -> messages.ListModelsResponse:
        """List models."""
        project = ProjectName.parse(request.parent).project
        require_project(current_principal(), project)
        asked = Asked(request.parent, request.page_size, request.page_token, request.filter, request.order_by)
        page = list_page(LISTED, await self._models.all(project), asked)
        return messages.ListModelsResponse(models=page.entries, next_page_token=page.next_page_token)

    async def DownloadModelVersion(  # noqa: N802
        self, request: messages.DownloadModelVersionRequest, _context: object
    ) -> AsyncGenerator[messages.DownloadModelVersionResponse, None]:
        """Take a version away."""
        name = _readable(request.name)
        version = await self._models.get_version(name)
        async with aclosing(tar_of(version, name.project, self._blobs, self._threads)) as pieces:
            async for piece in pieces:
                if piece:
                    yield messages.DownloadModelVersionResponse(data=piece)

    async def Predict(  # noqa: N802
        self, request: messages.PredictRequest, _context: object
    ) -> messages.PredictResponse:
        """Answer rows with a model."""
        return await self._predictor.predict(request, current_principal())


def _readable(text: str) -> ModelVersionName:
    name = ModelVersionName.parse(text)
    require_project(current_principal(), name.project)
    return name
