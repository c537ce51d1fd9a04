"""DatasetService on the wire."""

from collections.abc import Mapping
from types import MappingProxyType

from gateway.datasets import DatasetStore, NewDataset
from gateway.list_fields import Field, NumberField, TextField, TimeField
from gateway.listing import Asked, Listed, list_page
from gateway.rights import require_project
from gateway.table_reader import DataFile, TableReader
from headway.contract.digests import check_digest
from headway.contract.errors import FieldRequired, OutOfRange, Violation
from headway.contract.ids import DatasetName, ProjectName, check_dataset_id
from headway.contract.limits import PREVIEW_ROWS_DEFAULT, PREVIEW_ROWS_MAX
from headway.contract.times import moment
from headway.runtime.principal import current_principal
from headway.v1 import datasets_service_pb2 as messages
from headway.v1.datasets_pb2 import Dataset
from headway.v1.datasets_service_pb2_grpc import DatasetServiceServicer


def _id(dataset: Dataset) -> str:
    return DatasetName.parse(dataset.name).resource_id


_FIELDS: Mapping[str, Field[Dataset]] = MappingProxyType(
    {
        "dataset_id": TextField(_id),
        "format": TextField(lambda dataset: dataset.format),
        "digest": TextField(lambda dataset: dataset.digest),
        "size_bytes": NumberField(lambda dataset: dataset.size_bytes),
        "create_time": TimeField(lambda dataset: moment(dataset.create_time)),
    }
)
LISTED = Listed("datasets", "dataset_id", _id, _FIELDS)


class DatasetService(DatasetServiceServicer):
    """Datasets."""

    def __init__(self, datasets: DatasetStore, reader: TableReader) -> None:
        self._datasets = datasets
        self._reader = reader

    async def CreateDataset(  # noqa: N802 - gRPC's name
        self, request: messages.CreateDatasetRequest, _context: object
    ) -> Dataset:
        """Make a dataset or a version of one."""
        project = ProjectName.parse(request.parent).project
        require_project(current_principal(), project)
        if request.dataset_id:
            check_dataset_id("dataset_id", request.dataset_id)
        if request.WhichOneof("source") is None:
            message = "the dataset has no source"
            raise FieldRequired(
                message, violations=[Violation("digest", FieldRequired.reason, message, "digest or data_path")]
            )
        new = NewDataset(
            project=project,
            dataset_id=request.dataset_id,
            digest=check_digest("digest", request.digest) if request.HasField("digest") else "",
            data_path=request.data_path,
            file_name=request.file_name,
            format=request.format,
        )
        return await self._datasets.create(new)

    async def GetDataset(self, request: messages.GetDatasetRequest, _context: object) -> Dataset:  # noqa: N802
        """Read a version."""
        return await self._datasets.get(_readable(request.name), _version(request.version), field="version")

    async def ListDatasets(  # noqa: N802
        self, request: messages.ListDatasetsRequest, _context: object
    ) -> messages.ListDatasetsResponse:
        """The newest version of each dataset."""
        project = ProjectName.parse(request.parent).project
        require_project(current_principal(), project)
        asked = Asked(request.parent, request.page_size, request.page_token, request.filter, request.order_by)
        page = list_page(LISTED, await self._datasets.newest(project), asked)
        return messages.ListDatasetsResponse(datasets=page.entries, next_page_token=page.next_page_token)

    async def PreviewDataset(  # noqa: N802
        self, request: messages.PreviewDatasetRequest, _context: object
    ) -> messages.PreviewDatasetResponse:
        """The first rows of a table."""
        name = _readable(request.name)
        num_rows = _in_range("num_rows", request.num_rows, PREVIEW_ROWS_MAX) or PREVIEW_ROWS_DEFAULT
        dataset = await self._datasets.get(name, _version(request.version), field="version")
        file = DataFile(name.project, dataset.digest, dataset.size_bytes, dataset.format, request.sheet_name)
        preview = await self._reader.preview(file, num_rows)
        rows = [messages.PreviewRow(cells=row) for row in preview.rows]
        return messages.PreviewDatasetResponse(columns=preview.columns, rows=rows)


def _readable(text: str) -> DatasetName:
    name = DatasetName.parse(text)
    require_project(current_principal(), name.project)
    return name


def _version(number: int) -> int:
    return _in_range("version", number, 2**31 - 1)


def _in_range(field: str, number: int, greatest: int) -> int:
    if 0 <= number <= greatest:
        return number
    message = f"{field} is {number}"
    raise OutOfRange(message, violations=[Violation(field, OutOfRange.reason, message, f"0 to {greatest}")])
