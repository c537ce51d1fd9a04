"""Models: read them, and take a version away."""

import re
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path

import grpc.aio

from headway.client.downloads import Downloads
from headway.client.names import job_name, model_name, model_version_name, project_name
from headway.client.retries import Patience
from headway.client.rows import RowsToAnswer
from headway.client.uploads import Progress, ignore
from headway.contract.errors import Code
from headway.contract.ids import JOB_PATTERN
from headway.contract.limits import PREDICT_DEADLINE_MAX
from headway.runtime.clock import Clock
from headway.runtime.remote_error import RemoteError, answer
from headway.v1.models_pb2 import Model, ModelVersion
from headway.v1.models_service_pb2 import (
    GetModelRequest,
    GetModelVersionRequest,
    ListModelsRequest,
    PredictRequest,
    PredictResponse,
)
from headway.v1.models_service_pb2_grpc import ModelServiceStub

_READ_SECONDS = 10.0
_REGISTRATION = Patience(give_up_seconds=2.0, first_wait_seconds=0.02)


class Models:
    """The models of one project. Methods take a full resource name or a bare model id."""

    def __init__(self, channel: grpc.aio.Channel, project: str, clock: Clock) -> None:
        self._channel = channel
        self._stub = ModelServiceStub(channel)
        self._project = project
        self._clock = clock

    async def get(self, model: str) -> Model:
        """Read a model with all its versions; raises RemoteError with NOT_FOUND."""
        request = GetModelRequest(name=model_name(self._project, model))
        return await answer(self._stub.GetModel(request, timeout=_READ_SECONDS))

    async def version(self, model: str) -> ModelVersion:
        """Read one version: `iris` (the latest), `iris@3`, `iris@<job id>`, or its full name.

        A job's success can be heard of some milliseconds before its version is registered; a version that is named by
        its job is waited for that long.
        """
        request = GetModelVersionRequest(name=model_version_name(self._project, model))

        async def once() -> ModelVersion:
            return await answer(self._stub.GetModelVersion(request, timeout=_READ_SECONDS))

        if not re.fullmatch(JOB_PATTERN, request.name.rpartition("/")[2]):
            return await once()
        return await _REGISTRATION.keep_trying(self._clock, once, lambda error: error.code is Code.NOT_FOUND)

    async def list(self, *, filter_text: str = "", order_by: str = "", page_size: int = 100) -> AsyncIterator[Model]:
        """Every model that matches an AIP-160 filter, page by page."""
        request = ListModelsRequest(
            parent=project_name(self._project), filter=filter_text, order_by=order_by, page_size=page_size
        )
        while True:
            page = await answer(self._stub.ListModels(request, timeout=_READ_SECONDS))
            for model in page.models:
                yield model
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def predict(
        self,
        model: str,
        rows: RowsToAnswer,
        *,
        impute_missing_columns: bool = False,
        deadline: timedelta = PREDICT_DEADLINE_MAX,
    ) -> PredictResponse:
        """Let a model answer rows, on a trainer host. When the caller leaves, the work is cancelled.

        Args:
            model: as for `version`; or a job by name or id, for 15 minutes after its result was stored.
            rows: to answer.
            impute_missing_columns: take a column that the rows lack as absent in every row, instead of refusing them.
            deadline: how long to wait, at most 10 minutes.

        Returns:
            Every answer, in the order of the rows, when there are at most 1,000; else `save_predictions` brings them.

        Raises:
            RemoteError: ROWS when the rows are not such as the model takes; NOT_FOUND; RUNTIME_UNAVAILABLE and others.
        """
        request = PredictRequest()
        request.CopyFrom(rows.request)
        request.impute_missing_columns = impute_missing_columns
        seconds = deadline.total_seconds()
        *others, last = self._answering_names(model)
        for name in others:
            request.name = name
            try:
                return await answer(self._stub.Predict(request, timeout=seconds))
            except RemoteError as error:
                if error.code is not Code.NOT_FOUND:
                    raise
        request.name = last
        return await answer(self._stub.Predict(request, timeout=seconds))

    async def save_predictions(
        self,
        response: PredictResponse,
        path: Path,
        *,
        on_progress: Progress = ignore,
        patience: Patience | None = None,
    ) -> None:
        """Bring all answers as CSV, for about an hour after they were given; checked against their digest.

        Args:
            response: of `predict`.
            path: of the file to write.
            on_progress: told bytes done and in all.
            patience: how long a gateway may stay silent.

        Raises:
            RemoteError: they are gone, or the gateway stayed away.
            OSError: the disk refused.
        """
        parent = project_name(response.job.split("/")[1])
        downloads = Downloads(self._channel, parent, self._clock, patience or Patience())
        await downloads.fetch_file(response.predictions_csv, path, on_progress)

    def _answering_names(self, text: str) -> Sequence[str]:
        """What a name may mean, in order: the id of a job is also that of the model that it made without a name."""
        if "/jobs/" in text:
            return [job_name(self._project, text)]
        version = model_version_name(self._project, text)
        return [version, job_name(self._project, text)] if re.fullmatch(JOB_PATTERN, text) else [version]

    async def pull(
        self,
        model: str,
        folder: Path,
        *,
        on_progress: Progress = ignore,
        patience: Patience | None = None,
    ) -> ModelVersion:
        """Bring a version's files into a new folder, which appears when all are there and every digest is right.

        Args:
            model: as for `version`.
            folder: must not exist, unless it already holds exactly this version.
            on_progress: told the file, bytes done and bytes in all.
            patience: how long a gateway may stay silent; a download goes on where it broke.

        Raises:
            FolderInUse: the folder exists with other content; nothing was changed.
            RemoteError: unknown version, bad bytes, or the gateway stayed away.
            OSError: the disk refused.
        """
        found = await self.version(model)
        parent = project_name(found.name.split("/")[1])
        downloads = Downloads(self._channel, parent, self._clock, patience or Patience())
        await downloads.fetch_bundle(found.bundle, folder, on_progress)
        return found
