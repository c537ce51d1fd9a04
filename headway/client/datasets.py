"""Datasets: take files in, list them, look inside."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc.aio

from headway.client.names import dataset_name, project_name
from headway.client.retries import Patience
from headway.client.uploads import Progress, Uploads, ignore
from headway.runtime.blobs.blob_file import hash_file
from headway.runtime.clock import Clock
from headway.runtime.remote_error import answer
from headway.v1.datasets_pb2 import Dataset
from headway.v1.datasets_service_pb2 import (
    CreateDatasetRequest,
    GetDatasetRequest,
    ListDatasetsRequest,
    PreviewDatasetRequest,
    PreviewDatasetResponse,
)
from headway.v1.datasets_service_pb2_grpc import DatasetServiceStub

_READ_SECONDS = 10.0
# The gateway reads the whole file for its columns and rows.
_CREATE_SECONDS = 120.0


class Datasets:
    """The datasets of one project. Methods take a full resource name or a bare dataset id."""

    def __init__(self, channel: grpc.aio.Channel, project: str, clock: Clock) -> None:
        self._channel = channel
        self._stub = DatasetServiceStub(channel)
        self._project = project
        self._clock = clock

    async def upload(
        self,
        path: Path,
        *,
        dataset_id: str = "",
        on_progress: Progress = ignore,
        patience: Patience | None = None,
    ) -> Dataset:
        """Send a file of this machine and make it a dataset, or a further version of one.

        Args:
            path: the file; its name tells the format.
            dataset_id: absent means one made from the file name.
            on_progress: told bytes done and in all, first while hashing, then while uploading.
            patience: how long a gateway may stay silent; the upload goes on where it broke.

        Returns:
            The dataset; the same version again when the content is the same.

        Raises:
            OSError: the file cannot be read.
            RemoteError: refused, or the gateway stayed away.
        """
        parent = project_name(self._project)
        size_bytes = (await asyncio.to_thread(path.stat)).st_size
        file = await hash_file(path, lambda num_bytes: on_progress("hashing", num_bytes, size_bytes))
        await Uploads(self._channel, parent, self._clock, patience or Patience()).send(file, on_progress)
        request = CreateDatasetRequest(parent=parent, dataset_id=dataset_id, digest=file.digest, file_name=path.name)
        return await answer(self._stub.CreateDataset(request, timeout=_CREATE_SECONDS))

    async def take_in(self, data_path: str, *, dataset_id: str = "") -> Dataset:
        """Make a file below the gateway's data root a dataset; raises RemoteError."""
        request = CreateDatasetRequest(parent=project_name(self._project), dataset_id=dataset_id, data_path=data_path)
        return await answer(self._stub.CreateDataset(request, timeout=_CREATE_SECONDS))

    async def get(self, dataset: str, *, version: int = 0) -> Dataset:
        """Read a dataset's version, the newest for 0; raises RemoteError with NOT_FOUND."""
        request = GetDatasetRequest(name=dataset_name(self._project, dataset), version=version)
        return await answer(self._stub.GetDataset(request, timeout=_READ_SECONDS))

    async def list(self, *, filter_text: str = "", order_by: str = "", page_size: int = 100) -> AsyncIterator[Dataset]:
        """The newest version of every dataset that matches an AIP-160 filter, page by page."""
        request = ListDatasetsRequest(
            parent=project_name(self._project), filter=filter_text, order_by=order_by, page_size=page_size
        )
        while True:
            page = await answer(self._stub.ListDatasets(request, timeout=_READ_SECONDS))
            for dataset in page.datasets:
                yield dataset
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def preview(self, dataset: str, *, version: int = 0, num_rows: int = 10) -> PreviewDatasetResponse:
        """The first rows of a table as text, at most 100."""
        request = PreviewDatasetRequest(name=dataset_name(self._project, dataset), version=version, num_rows=num_rows)
        return await answer(self._stub.PreviewDataset(request, timeout=_CREATE_SECONDS))
