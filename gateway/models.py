"""Models and their versions: read from the bucket, with the files that make a version what it is."""

import asyncio

from gateway.blobs.disk_threads import DiskThreads
from gateway.blobs.store import BlobStore
from gateway.bucket_index import BucketIndex
from gateway.model_tar import lost
from gateway.model_versions import find_listed, version_key
from gateway.registrations import Registrations
from headway.contract.errors import NotFound, echo
from headway.contract.ids import ModelName, ModelVersionName
from headway.runtime.records import Records
from headway.v1.models_pb2 import Model, ModelVersion
from headway.v1.records_pb2 import ModelRecord

LATEST = "latest"
VERSIONS_IN_FULL_MAX = 20
"""Versions of a model that GetModel tells with their files and metrics; older ones are told in short."""


class ModelStore:
    """The bucket `models` and the files behind it."""

    def __init__(
        self,
        records: Records[ModelRecord],
        index: BucketIndex[ModelRecord],
        blobs: BlobStore,
        threads: DiskThreads,
        registrations: Registrations,
    ) -> None:
        """Args: records: the bucket. index: for lists. blobs: the files. threads: for looking at them."""
        self._registrations = registrations
        self._records = records
        self._index = index
        self._blobs = blobs
        self._threads = threads

    async def get(self, name: ModelName) -> Model:
        """A model with its versions, the newest of them in full.

        Raises:
            NotFound: there is none.
        """
        model = (await self._find(name)).model
        newest = model.versions[-VERSIONS_IN_FULL_MAX:]
        full = await asyncio.gather(*(self._in_full(version) for version in newest))
        del model.versions[-VERSIONS_IN_FULL_MAX:]
        model.versions.extend(full)
        return model

    async def get_version(self, name: ModelVersionName) -> ModelVersion:
        """One version in full, by id, number or `latest`.

        Raises:
            NotFound: there is none.
            DigestMismatch: a file of it is lost (DATA_LOSS).
        """
        record = await self._find(name.model)
        listed = _choose(record.model, name)
        wanted = listed if listed is not None else ModelVersion(name=name.name)
        version = await self._in_full(wanted)
        if not version.bundle.artifacts:
            raise NotFound(f"{name.name} does not exist", metadata={"version": name.version})
        await self._threads.run(self._check_files, name.project, version)
        return version

    async def all(self, project: str) -> list[Model]:
        """Every model of a project with its versions in short, in no order. Shared: do not change them."""
        await self._registrations.settled(project)
        return [record.model for record in await self._index.entries(project)]

    async def _find(self, name: ModelName) -> ModelRecord:
        await self._registrations.settled(name.project)
        stored = await self._records.find(name.key)
        if stored is None:
            raise NotFound(f"{name.name} does not exist", metadata={"model": name.name})
        return stored.value

    async def _in_full(self, listed: ModelVersion) -> ModelVersion:
        stored = await self._records.find(version_key(ModelVersionName.parse(listed.name)))
        if stored is None or not stored.value.model.versions:
            return listed
        version = stored.value.model.versions[0]
        version.number = listed.number
        return version

    def _check_files(self, project: str, version: ModelVersion) -> None:
        for artifact in version.bundle.artifacts:
            info = self._blobs.find(project, artifact.digest)
            if info is None or info.size_bytes != artifact.size_bytes:
                raise lost(echo(artifact.path), artifact.digest)


def _choose(model: Model, name: ModelVersionName) -> ModelVersion | None:
    if name.version == LATEST:
        return model.versions[-1] if model.versions else None
    if name.version.isdecimal():
        number = int(name.version)
        return next((version for version in model.versions if version.number == number), None)
    return find_listed(ModelRecord(model=model), name.name)
