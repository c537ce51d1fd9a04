"""What Predict may name: a registered version, or a run of the last minutes."""

from dataclasses import dataclass
from typing import Protocol

from gateway.model_files import PREPROCESS_PATH
from gateway.rights import require_project
from headway.contract.errors import InvalidArgument, Violation, echo
from headway.contract.ids import JobName, ModelVersionName
from headway.contract.kinds import TABULAR_KINDS
from headway.contract.manifest import MANIFEST_PATH, MODEL_PATH, WEIGHTS_PATH
from headway.contract.predictions import MODEL_ROLE
from headway.runtime.principal import Principal
from headway.v1.jobs_pb2 import Bundle, PinnedInput
from headway.v1.models_pb2 import ModelVersion
from headway.v1.records_pb2 import JobRecord

NEEDED = (MANIFEST_PATH, MODEL_PATH, WEIGHTS_PATH, PREPROCESS_PATH)


@dataclass(frozen=True, slots=True)
class Answering:
    """What is to answer.

    Attributes:
        project: whose files they are.
        name: full name of the version or of the run.
        inputs: the files that it takes, pinned by digest.
    """

    project: str
    name: str
    inputs: tuple[PinnedInput, ...]


class FindsVersions(Protocol):
    """The registered models."""

    async def get_version(self, name: ModelVersionName) -> ModelVersion:
        """One version in full; raises NotFound or DigestMismatch."""
        ...


class FindsRuns(Protocol):
    """The recent runs."""

    async def find(self, run_id: str, *, project: str, what: str = "Run") -> JobRecord:
        """The record of a run that can be used now; raises NotFound."""
        ...


@dataclass(frozen=True, slots=True)
class AnsweringModels:
    """Finds what is to answer.

    Attributes:
        models: the registered ones.
        runs: the recent ones.
    """

    models: FindsVersions
    runs: FindsRuns

    async def find(self, name: str, principal: Principal) -> Answering:
        """The model of a name.

        Raises:
            InvalidName: neither of the two.
            PermissionDenied: the key has no right on its project.
            NotFound: there is no such version; or the run never was one, has expired, or was pushed out.
            DigestMismatch: a file of it is lost.
            InvalidArgument: it is of a kind that answers no rows.
        """
        if "/jobs/" in name:
            job = JobName.parse(name)
            require_project(principal, job.project)
            record = await self.runs.find(name, project=job.project)
            return _answering(job.project, name, record.job.kind, record.job.result.bundle)
        parsed = ModelVersionName.parse(name)
        require_project(principal, parsed.project)
        version = await self.models.get_version(parsed)
        return _answering(parsed.project, version.name, version.kind, version.bundle)


def _answering(project: str, name: str, kind: str, bundle: Bundle) -> Answering:
    files = {artifact.path: artifact for artifact in bundle.artifacts}
    if kind not in TABULAR_KINDS or not files.keys() >= set(NEEDED):
        message = f"a model of kind {echo(kind)} answers no rows"
        allowed = f"a model of kind {' or '.join(sorted(TABULAR_KINDS))}"
        raise InvalidArgument(message, violations=[Violation("name", InvalidArgument.reason, message, allowed)])
    inputs = tuple(
        PinnedInput(
            role=MODEL_ROLE + path,
            digest=files[path].digest,
            size_bytes=files[path].size_bytes,
            format=path.rpartition(".")[2],
            file_name=path,
        )
        for path in NEEDED
    )
    return Answering(project, name, inputs)
