"""A checkpoint as a folder: the recipe's state, the random state, a header, and a manifest that lists them all.

It gets its name by a rename, when every file in it is on the disk: what has a name is whole, after a crash of the
process and after a power cut, and what still has its working name is swept. Whoever goes on from one reads every byte
again: what a disk or a hand has changed since is refused with the reason (P15, F25). Imports no torch.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from headway.contract.digests import sha256_of
from headway.contract.manifest import MANIFEST_PATH, Manifest
from headway.contract.recipes import CheckpointUnusable
from headway.runtime.blobs.blob_file import digest_of_file
from headway.v1.job_specs_pb2 import JobSpec

FORMAT = 1
"""Version of the header and of what lies where; a host refuses what a later version wrote."""
HEADER_PATH = "checkpoint.json"
RANDOM_STATE_PATH = "random.safetensors"
TRAINING_PATH = "training"
"""Folder of the recipe's own files."""
PART_PREFIX = ".part-"


class CheckpointHeader(BaseModel):
    """`checkpoint.json`. What it was computed with is in the manifest."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    format: int
    """Version of this shape."""
    spec_digest: str
    """Of the job's spec."""
    step: int = Field(ge=0)
    """Optimizer steps done."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whose checkpoint can be gone on from.

    Attributes:
        job: `projects/{project}/jobs/{job}`.
        kind: the job's.
        spec_digest: of the job's spec.
    """

    job: str
    kind: str
    spec_digest: str

    @classmethod
    def of(cls, job: str, kind: str, spec: JobSpec) -> Self:
        """What fits a job."""
        return cls(job, kind, sha256_of(spec.SerializeToString(deterministic=True)))


@dataclass(frozen=True, slots=True)
class CheckpointFiles:
    """A checkpoint that was found whole, and of the right job.

    Attributes:
        folder: where it lies.
        step: optimizer steps done.
        manifest: who saved it, and with what.
    """

    folder: Path
    step: int
    manifest: Manifest


def name_of(step: int, attempt: int) -> str:
    """The name of a checkpoint's folder; names in order are steps in order."""
    return f"{step:015d}-{attempt}"


def open_checkpoint(folder: Path, wanted: Wanted) -> CheckpointFiles:
    """Check everything about a checkpoint but what its recipe alone can tell. Blocks: reads every byte.

    Raises:
        CheckpointUnusable: it is torn, changed, of another job or spec, or of a later version.
    """
    try:
        manifest = Manifest.model_validate_json((folder / MANIFEST_PATH).read_bytes())
        header = CheckpointHeader.model_validate_json((folder / HEADER_PATH).read_bytes())
        torn = next((file.path for file in manifest.artifacts if _is_torn(folder, file.path, file.digest)), None)
    except (OSError, ValidationError) as error:
        raise CheckpointUnusable(f"it cannot be read ({type(error).__name__})") from error
    if torn is not None:
        raise CheckpointUnusable(f"{torn} is not as it was written")
    if header.format != FORMAT:
        raise CheckpointUnusable(f"it has format {header.format}, and this host knows format {FORMAT}")
    if (manifest.job, manifest.kind) != (wanted.job, wanted.kind):
        raise CheckpointUnusable(f"it is one of {manifest.job}, kind {manifest.kind}")
    if header.spec_digest != wanted.spec_digest:
        raise CheckpointUnusable("it is one of another spec")
    return CheckpointFiles(folder, header.step, manifest)


def _is_torn(folder: Path, path: str, digest: str) -> bool:
    if Path(path).is_absolute() or ".." in Path(path).parts:
        return True
    return digest_of_file(folder / path) != digest
