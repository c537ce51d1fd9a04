"""The datasets as validation sees them: a job's data, pinned by digest, with its columns."""

from gateway.datasets import DatasetStore, NewDataset
from gateway.rights import require_project
from gateway.table_format import TABLES
from gateway.table_reader import DataFile, TableReader
from gateway.validation.chain import Table
from headway.contract.errors import InvalidTable, Violation
from headway.contract.ids import DatasetName
from headway.runtime.principal import current_principal
from headway.v1.datasets_pb2 import Dataset
from headway.v1.jobs_pb2 import PinnedInput

ROLE = "table"


class DatasetTables:
    """Implements `gateway.validation.chain.Tables`."""

    def __init__(self, datasets: DatasetStore, reader: TableReader) -> None:
        """Args: datasets: the names. reader: columns of a sheet that is not the first."""
        self._datasets = datasets
        self._reader = reader

    async def by_path(self, project: str, data_path: str, sheet: str, *, field: str) -> Table:
        """Take a file below the data root in, or find it unchanged; errors name `field`."""
        dataset = await self._datasets.take_in(NewDataset(project=project, data_path=data_path), field=field)
        return await self._table(dataset, sheet, field)

    async def by_name(self, project: str, dataset: str, version: int, sheet: str, *, field: str) -> Table:
        """Pin a version of a dataset, 0 for the newest; errors name `field`."""
        name = DatasetName.resolve(dataset, project=project, field=field)
        require_project(current_principal(), name.project)
        return await self._table(await self._datasets.pin(name, version, field=field), sheet, field)

    async def _table(self, dataset: Dataset, sheet: str, field: str) -> Table:
        if dataset.format not in TABLES:
            message = f"{dataset.name} is {dataset.format}, not a table"
            allowed = f"one of {', '.join(sorted(TABLES))}"
            raise InvalidTable(message, violations=[Violation(field, "FORMAT", message, allowed)])
        pinned = PinnedInput(
            role=ROLE,
            digest=dataset.digest,
            size_bytes=dataset.size_bytes,
            format=dataset.format,
            dataset=dataset.name,
            version=dataset.version,
            file_name=dataset.file_name,
        )
        if not sheet:
            return Table(pinned, tuple(dataset.columns), dataset.num_rows)
        if dataset.format not in {"xls", "xlsx"}:
            message = f"a {dataset.format} file has no sheets"
            sheet_field = f"{field.rpartition('.')[0]}.sheet_name".lstrip(".")
            raise InvalidTable(message, violations=[Violation(sheet_field, "SHEET", message)])
        project = DatasetName.parse(dataset.name).project
        file = DataFile(project, dataset.digest, dataset.size_bytes, dataset.format, sheet)
        facts = await self._reader.facts(file, field=field)
        return Table(pinned, facts.columns, facts.num_rows)
