"""Datasets: immutable files by name and version, taken in from uploads and from below the data root."""

from dataclasses import dataclass
from functools import partial

from gateway.blobs.disk_threads import DiskThreads
from gateway.blobs.store import BlobInfo, BlobStore
from gateway.bucket_index import BucketIndex
from gateway.data_root import DataRoot, FileFacts
from gateway.dataset_versions import dataset_id_for, find_content, find_origin, find_version, with_version
from gateway.intake import Intake
from gateway.table_format import TABLES, check_file_name, format_of
from gateway.table_reader import DataFile, TableReader
from gateway.upserts import upsert
from headway.contract.errors import NotFound, UnknownDataset, Violation, echo
from headway.contract.ids import DatasetName, check_dataset_id
from headway.contract.times import timestamp
from headway.runtime.clock import Clock
from headway.runtime.records import Records
from headway.v1.datasets_pb2 import Dataset
from headway.v1.records_pb2 import DatasetRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDataset:
    """What CreateDataset asks for; exactly one of digest and data_path is set.

    Attributes:
        project: checked, and the caller's.
        dataset_id: empty to make one from the file's name.
        digest: of an uploaded blob.
        data_path: of a file below the data root.
        file_name: for the format and for people; may be empty with data_path.
        format: empty to tell it from the name.
    """

    project: str
    dataset_id: str = ""
    digest: str = ""
    data_path: str = ""
    file_name: str = ""
    format: str = ""


@dataclass(frozen=True, slots=True)
class DatasetSources:
    """Where the bytes of datasets come from and lie.

    Attributes:
        blobs: the store.
        data_root: the folder of data paths.
        intake: copies from there into the store.
        reader: looks inside.
        threads: for file work.
    """

    blobs: BlobStore
    data_root: DataRoot
    intake: Intake
    reader: TableReader
    threads: DiskThreads


class DatasetStore:
    """The bucket `datasets` and the files behind it."""

    def __init__(
        self, records: Records[DatasetRecord], index: BucketIndex[DatasetRecord], sources: DatasetSources, clock: Clock
    ) -> None:
        """Args: records: the bucket. index: told of every write. sources: the bytes. clock: for create times."""
        self._records = records
        self._index = index
        self._sources = sources
        self._clock = clock

    async def create(self, new: NewDataset) -> Dataset:
        """Make a dataset or a further version; the same content gives the same version.

        Raises:
            NotFound: no such blob was uploaded.
            InvalidDataPath, UnsupportedScheme: the path is no file that callers may name.
            InvalidTable: or a subclass: the content is not an acceptable table or text.
            TooManyVersions, BlobTooLarge, DiskFull: a limit.
        """
        if new.data_path:
            return await self.take_in(new, field="data_path")
        file_name = check_file_name(new.file_name, field="file_name")
        data_format = format_of(file_name, new.format, field="file_name")
        info = await self._sources.threads.run(self._find_settled, new.project, new.digest)
        name = _name(new, file_name)
        known = await self._records.find(name.key)
        existing = find_content(known.value, info.digest, data_format) if known is not None else None
        if existing is not None:
            return await self._with_columns(existing, name)
        return await self._add(name, info, file_name, data_format, origin=None, field="digest")

    async def take_in(self, new: NewDataset, *, field: str) -> Dataset:
        """Make a version of a file below the data root. A file that has not changed since is not read again.

        Args:
            new: with data_path.
            field: path of the request's field that named the file, for violations.

        Raises:
            As `create`.
        """
        opened = await self._sources.threads.run(self._sources.data_root.open, new.data_path, field=field)
        facts = opened.facts
        try:
            file_name = check_file_name(new.file_name or facts.file_name, field=field)
            data_format = format_of(file_name, new.format, field=field)
            name = _name(new, facts.data_path)
            known = await self._find_unchanged(name, facts, data_format)
            if known is not None:
                await self._sources.threads.run(opened.file.close)
                return await self._with_columns(known, name)
        except BaseException:
            await self._sources.threads.run(opened.file.close)
            raise
        info = await self._sources.intake.take_in(new.project, opened, field=field)
        return await self._add(name, info, file_name, data_format, origin=facts, field=field)

    async def get(self, name: DatasetName, version: int, *, field: str = "name") -> Dataset:
        """A version with its columns, 0 for the newest.

        Raises:
            NotFound: no such dataset.
            UnknownDataset: it has no such version; `field` is named.
        """
        stored = await self._records.find(name.key)
        if stored is None:
            raise NotFound(f"{name.name} does not exist", metadata={"dataset": name.name})
        found = find_version(stored.value, version, dataset=name.name, field=field)
        return await self._with_columns(found, name)

    async def pin(self, name: DatasetName, version: int, *, field: str) -> Dataset:
        """As `get`, with the error that a job's spec gets for a dataset that does not exist.

        Raises:
            UnknownDataset: no such dataset or version.
        """
        try:
            return await self.get(name, version, field=field)
        except NotFound:
            message = f"there is no dataset {echo(name.name)}"
            raise UnknownDataset(message, violations=[Violation(field, UnknownDataset.reason, message)]) from None

    async def newest(self, project: str) -> list[Dataset]:
        """The newest version of each dataset of a project, in no order. Shared: do not change them."""
        return [record.versions[-1] for record in await self._index.entries(project) if record.versions]

    async def _add(
        self,
        name: DatasetName,
        info: BlobInfo,
        file_name: str,
        data_format: str,
        *,
        origin: FileFacts | None,
        field: str,
    ) -> Dataset:
        file = DataFile(name.project, info.digest, info.size_bytes, data_format)
        found = await self._sources.reader.facts(file, field=field)
        wanted = Dataset(
            name=name.name,
            digest=info.digest,
            size_bytes=info.size_bytes,
            format=data_format,
            columns=found.columns,
            file_name=file_name,
            create_time=timestamp(self._clock.now()),
            num_rows=found.num_rows,
        )
        decide = partial(with_version, wanted=wanted, origin=origin)
        record = await upsert(self._records, self._index, name.key, decide, DatasetRecord())
        version = find_content(record, info.digest, data_format)
        if version is None:
            raise LookupError(f"{name.name} lacks the version that was just written")
        return await self._with_columns(version, name)

    async def _find_unchanged(self, name: DatasetName, facts: FileFacts, data_format: str) -> Dataset | None:
        stored = await self._records.find(name.key)
        number = find_origin(stored.value, facts) if stored is not None else 0
        if stored is None or number == 0:
            return None
        version = stored.value.versions[number - 1]
        found = await self._sources.threads.run(self._sources.blobs.find, name.project, version.digest)
        return version if found is not None and version.format == data_format else None

    async def _with_columns(self, version: Dataset, name: DatasetName) -> Dataset:
        """A copy with its columns, which the record may have left out."""
        copy = Dataset()
        copy.CopyFrom(version)
        if not copy.columns and copy.format in TABLES:
            file = DataFile(name.project, copy.digest, copy.size_bytes, copy.format)
            copy.columns.extend((await self._sources.reader.facts(file, field="name")).columns)
        return copy

    def _find_settled(self, project: str, digest: str) -> BlobInfo:
        info = self._sources.blobs.use(project, digest)
        if info is None:
            raise NotFound(
                f"no blob with the digest {digest} was uploaded to projects/{project}", metadata={"digest": digest}
            )
        self._sources.blobs.settle(project, [digest])
        return info


def _name(new: NewDataset, path: str) -> DatasetName:
    dataset_id = new.dataset_id or dataset_id_for(path)
    return DatasetName(new.project, check_dataset_id("dataset_id", dataset_id))
