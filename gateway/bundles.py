"""Checks a bundle before it becomes a result or a checkpoint: its list, its manifest, and every file of it."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gateway.blobs.store import BlobStore
from gateway.model_files import PREPROCESS_PATH, check_file, invalid_bundle, read_architecture, read_manifest
from headway.contract.architectures import Architecture
from headway.contract.digests import check_digest
from headway.contract.errors import BlobMissing, echo
from headway.contract.kinds import INFER, TABULAR_KINDS
from headway.contract.limits import ARTIFACTS_MAX
from headway.contract.manifest import MANIFEST_PATH, MODEL_PATH, WEIGHTS_PATH
from headway.contract.predictions import PREDICTIONS_PATH, REPORT_PATH
from headway.v1.jobs_pb2 import Artifact, Bundle

_PATH = re.compile(r"[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*")
_PATH_MAX_CHARACTERS = 200
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9.+-]{1,64}/[A-Za-z0-9.+-]{1,64}|")
_REQUIRED: Mapping[str, frozenset[str]] = {
    **{kind: frozenset({WEIGHTS_PATH, MODEL_PATH, PREPROCESS_PATH, "metrics.json"}) for kind in TABULAR_KINDS},
    INFER: frozenset({PREDICTIONS_PATH, REPORT_PATH}),
}
_OPTIONAL: Mapping[str, frozenset[str]] = {
    **{kind: frozenset({"history.csv", "loss.svg", "loss.png", "logs.jsonl", "README.md"}) for kind in TABULAR_KINDS},
    INFER: frozenset({"logs.jsonl"}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a bundle must be of.

    Attributes:
        project: whose blobs it is made of.
        job: `projects/{project}/jobs/{job}`.
        kind: the job's.
        attempt: the attempt that claims to have made it.
        input_digests: of the data that the job reads.
        is_result: a result has the files of its kind; a checkpoint has what its recipe likes.
    """

    project: str
    job: str
    kind: str
    attempt: int
    input_digests: frozenset[str]
    is_result: bool


def check_bundle(store: BlobStore, bundle: Bundle, expected: Expected) -> None:
    """Check everything about a bundle. Blocking: runs in a disk thread, in bounded memory.

    When it returns, every file is whole, of its digest, and on disk.

    Raises:
        InvalidManifest: the list or the manifest is wrong.
        BlobMissing: a file was not uploaded.
        DigestMismatch: a stored file has gone bad; it was set aside, and sending it again mends it.
        ForbiddenContent, InvalidSafetensors, InvalidTensor, TooManyTensors, ArchitectureMismatch: a file is not
            acceptable.
    """
    files = _check_list(bundle.artifacts)
    if MANIFEST_PATH not in files or files[MANIFEST_PATH].digest != bundle.digest:
        raise invalid_bundle("the bundle's digest must be that of its manifest.json")
    _check_stored(store, expected.project, files.values())
    _check_manifest(store, files, expected)
    if expected.is_result:
        _check_names(expected.kind, set(files) - {MANIFEST_PATH})
    architecture = _architecture(store, files, expected)
    for path, artifact in files.items():
        check_file(store, expected.project, path, artifact, architecture)
    store.settle(expected.project, [artifact.digest for artifact in files.values()])


def _check_list(artifacts: Sequence[Artifact]) -> dict[str, Artifact]:
    if not 1 <= len(artifacts) <= ARTIFACTS_MAX:
        raise invalid_bundle(f"the bundle lists {len(artifacts)} files; 1 to {ARTIFACTS_MAX} are allowed")
    files: dict[str, Artifact] = {}
    for index, artifact in enumerate(artifacts):
        path, field = artifact.path, f"bundle.artifacts[{index}]"
        check_digest(f"{field}.digest", artifact.digest)
        if len(path) > _PATH_MAX_CHARACTERS or not _PATH.fullmatch(path) or {".", ".."} & set(path.split("/")):
            raise invalid_bundle(f"{echo(path)} is not a path inside a bundle", f"{field}.path")
        if path in files:
            raise invalid_bundle(f"{echo(path)} is listed twice", f"{field}.path")
        if artifact.size_bytes < 0 or not _MEDIA_TYPE.fullmatch(artifact.media_type):
            raise invalid_bundle(f"{echo(path)} has an impossible size or media type", field)
        files[path] = artifact
    return files


def _check_stored(store: BlobStore, project: str, artifacts: Iterable[Artifact]) -> None:
    for artifact in artifacts:
        info = store.use(project, artifact.digest)
        if info is None:
            raise BlobMissing(
                f"{echo(artifact.path)} was not uploaded; send it, then commit again",
                metadata={"digest": artifact.digest},
            )
        if info.size_bytes != artifact.size_bytes:
            raise invalid_bundle(f"{echo(artifact.path)} has {info.size_bytes} bytes, not {artifact.size_bytes}")


def _check_manifest(store: BlobStore, files: Mapping[str, Artifact], expected: Expected) -> None:
    manifest = read_manifest(store, expected.project, files[MANIFEST_PATH])
    if (manifest.job, manifest.kind, manifest.attempt) != (expected.job, expected.kind, expected.attempt):
        raise invalid_bundle("manifest.json is that of another job, kind or attempt")
    if any(read.digest not in expected.input_digests for read in manifest.inputs):
        raise invalid_bundle("manifest.json names data that the job does not read")
    listed = {(artifact.path, artifact.digest, artifact.size_bytes) for artifact in manifest.artifacts}
    sent = {(path, file.digest, file.size_bytes) for path, file in files.items() if path != MANIFEST_PATH}
    if listed != sent or len(listed) != len(manifest.artifacts):
        raise invalid_bundle("manifest.json does not list the files of the bundle")


def _check_names(kind: str, names: set[str]) -> None:
    required = _REQUIRED.get(kind)
    if required is None:
        return
    missing, foreign = required - names, names - required - _OPTIONAL[kind]
    if missing:
        raise invalid_bundle(f"the bundle lacks {', '.join(sorted(missing))}")
    if foreign:
        raise invalid_bundle(f"{echo(min(foreign))} does not belong into a bundle of kind {kind}")


def _architecture(store: BlobStore, files: Mapping[str, Artifact], expected: Expected) -> Architecture | None:
    if not expected.is_result or expected.kind not in TABULAR_KINDS:
        return None
    return read_architecture(store, expected.project, files)
