"""The models that a student can learn from: recent runs, registered models, and bundles below the data root."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.blobs.disk_threads import DiskThreads
from gateway.blobs.store import BlobStore
from gateway.find_run import RunFinder
from gateway.foreign_bundles import MODEL_FILES, ForeignBundles
from gateway.model_columns import ModelColumns, parse_model_columns
from gateway.model_files import PREPROCESS_MAX_BYTES, PREPROCESS_PATH, read_architecture, read_json
from gateway.model_tar import lost
from gateway.models import LATEST, ModelStore
from gateway.validation.chain import Teacher
from headway.contract.architectures import Architecture
from headway.contract.errors import InvalidName, NotFound, UnknownTeacher, Violation, echo
from headway.contract.ids import ModelName, ModelVersionName
from headway.contract.kinds import TABULAR_KINDS
from headway.v1.jobs_pb2 import Artifact

_ALLOWED = "a model id, with an optional @version: a number from 1, a version id, or latest; `headway models list`"


@dataclass(frozen=True, slots=True)
class TeacherStore:
    """Implements `gateway.validation.chain.Teachers`.

    Attributes:
        runs: knows recent runs.
        models: the registered models.
        foreign: bundles below the data root.
        blobs: the files of all.
        threads: for the file work.
    """

    runs: RunFinder
    models: ModelStore
    foreign: ForeignBundles
    blobs: BlobStore
    threads: DiskThreads

    async def by_run(self, project: str, run_id: str) -> Teacher:
        """The bundle of a recent run.

        Raises:
            NotFound: it never was one, has expired, or was pushed out.
        """
        record = await self.runs.find(run_id, project=project, what="Teacher run")
        artifacts = record.job.result.bundle.artifacts
        return await self.threads.run(self._read, project, record.job.name, artifacts)

    async def by_path(self, project: str, model_path: str, *, field: str) -> Teacher:
        """A bundle's folder below the data root, taken in and checked.

        Raises:
            InvalidArgument: a subclass: as `ForeignBundles.take_in`; `field` is named.
        """
        files = await self.foreign.take_in(project, model_path, field=field)
        return await self.threads.run(self._read, project, echo(model_path), files)

    async def by_model(self, project: str, model: str, *, field: str) -> Teacher:
        """A registered model.

        Args:
            project: the model must be of it.
            model: its id or name, with an optional `@version`.
            field: path of the request's field that named it, for violations.

        Raises:
            UnknownTeacher: there is no such model or version, or it is not a tabular one.
        """
        name = _version_name(project, model, field)
        try:
            version = await self.models.get_version(name)
        except NotFound as error:
            raise _unknown(error.message, field) from None
        if version.kind not in TABULAR_KINDS:
            raise _unknown(f"{name.name} is of kind {echo(version.kind)}, not a tabular model", field)
        return await self.threads.run(self._read, project, version.name, version.bundle.artifacts)

    def _read(self, project: str, title: str, artifacts: Sequence[Artifact]) -> Teacher:
        """What validation needs to know of a bundle that was checked when it came. Its files are kept from now on."""
        files = {artifact.path: artifact for artifact in artifacts if artifact.path in MODEL_FILES}
        for file in files.values():
            if self.blobs.use(project, file.digest) is None:
                raise lost(file.path, file.digest)
        architecture: Architecture = read_architecture(self.blobs, project, files)
        content = read_json(self.blobs, project, files[PREPROCESS_PATH], PREPROCESS_MAX_BYTES)
        columns: ModelColumns = parse_model_columns(content)
        pinned = [files[path] for path in MODEL_FILES]
        return Teacher(title, pinned, architecture, columns.target.column, columns.features)


def _version_name(project: str, model: str, field: str) -> ModelVersionName:
    text, _, version = model.partition("@")
    try:
        name = ModelName.resolve(text, project=project, field=field)
        parsed = ModelVersionName.parse(f"{name.name}/versions/{version or LATEST}", field=field)
    except InvalidName:
        raise _unknown(f"{echo(model)} does not name a model", field) from None
    if name.project != project:
        raise _unknown(f"{echo(model)} is of another project; a teacher must be of the job's own", field)
    return parsed


def _unknown(message: str, field: str) -> UnknownTeacher:
    return UnknownTeacher(message, violations=[Violation(field, UnknownTeacher.reason, message, _ALLOWED)])
