"""Checks a bundle before it becomes a result or a checkpoint: its list, its manifest, and every file of it."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import BufferedReader

from pydantic import ValidationError

from gateway.blobs.store import BlobStore, check_content
from gateway.forbidden_content import START_BYTES, check_not_forbidden
from gateway.state_dicts import check_state_dict
from headway.contract.architectures import MAX_MODEL_JSON_BYTES, Architecture, parse_architecture
from headway.contract.digests import check_digest, digest_of_hash
from headway.contract.errors import BlobMissing, HeadwayError, InvalidManifest, Violation, echo
from headway.contract.kinds import TABULAR_TRAIN
from headway.contract.limits import ARTIFACTS_MAX
from headway.contract.manifest import MANIFEST_PATH, MODEL_PATH, WEIGHTS_PATH, Manifest
from headway.v1.jobs_pb2 import Artifact, Bundle

PREPROCESS_PATH = "preprocess.json"
PREPROCESS_MAX_BYTES = 8 * 1024 * 1024
MANIFEST_MAX_BYTES = 2 * 1024 * 1024
JSON_VALUES_MAX = 400_000
"""Each value of a JSON text takes up to some 70 bytes of memory once it is parsed, however short its text is."""

_PATH = re.compile(r"[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*")
_PATH_MAX_CHARACTERS = 200
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9.+-]{1,64}/[A-Za-z0-9.+-]{1,64}|")
_REQUIRED: Mapping[str, frozenset[str]] = {
    TABULAR_TRAIN: frozenset({WEIGHTS_PATH, MODEL_PATH, PREPROCESS_PATH, "metrics.json"})
}
_OPTIONAL: Mapping[str, frozenset[str]] = {
    TABULAR_TRAIN: frozenset({"history.csv", "loss.svg", "loss.png", "logs.jsonl", "README.md"})
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
        raise _invalid("the bundle's digest must be that of its manifest.json")
    _check_stored(store, expected.project, files.values())
    _check_manifest(store, files, expected)
    if expected.is_result:
        _check_names(expected.kind, set(files) - {MANIFEST_PATH})
    architecture = _architecture(store, files, expected)
    for path, artifact in files.items():
        _check_file(store, expected.project, path, artifact, architecture)
    store.settle(expected.project, [artifact.digest for artifact in files.values()])


def _check_list(artifacts: Sequence[Artifact]) -> dict[str, Artifact]:
    if not 1 <= len(artifacts) <= ARTIFACTS_MAX:
        raise _invalid(f"the bundle lists {len(artifacts)} files; 1 to {ARTIFACTS_MAX} are allowed")
    files: dict[str, Artifact] = {}
    for index, artifact in enumerate(artifacts):
        path, field = artifact.path, f"bundle.artifacts[{index}]"
        check_digest(f"{field}.digest", artifact.digest)
        if len(path) > _PATH_MAX_CHARACTERS or not _PATH.fullmatch(path) or {".", ".."} & set(path.split("/")):
            raise _invalid(f"{echo(path)} is not a path inside a bundle", f"{field}.path")
        if path in files:
            raise _invalid(f"{echo(path)} is listed twice", f"{field}.path")
        if artifact.size_bytes < 0 or not _MEDIA_TYPE.fullmatch(artifact.media_type):
            raise _invalid(f"{echo(path)} has an impossible size or media type", field)
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
            raise _invalid(f"{echo(artifact.path)} has {info.size_bytes} bytes, not {artifact.size_bytes}")


def _check_manifest(store: BlobStore, files: Mapping[str, Artifact], expected: Expected) -> None:
    try:
        manifest = Manifest.model_validate_json(
            _read_json(store, expected.project, files[MANIFEST_PATH], MANIFEST_MAX_BYTES)
        )
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(str(part) for part in fault["loc"])
        raise _invalid(f"manifest.json: {where}: {fault['msg']}") from None
    if (manifest.job, manifest.kind, manifest.attempt) != (expected.job, expected.kind, expected.attempt):
        raise _invalid("manifest.json is that of another job, kind or attempt")
    if any(read.digest not in expected.input_digests for read in manifest.inputs):
        raise _invalid("manifest.json names data that the job does not read")
    listed = {(artifact.path, artifact.digest, artifact.size_bytes) for artifact in manifest.artifacts}
    sent = {(path, file.digest, file.size_bytes) for path, file in files.items() if path != MANIFEST_PATH}
    if listed != sent or len(listed) != len(manifest.artifacts):
        raise _invalid("manifest.json does not list the files of the bundle")


def _check_names(kind: str, names: set[str]) -> None:
    required = _REQUIRED.get(kind)
    if required is None:
        return
    missing, foreign = required - names, names - required - _OPTIONAL[kind]
    if missing:
        raise _invalid(f"the bundle lacks {', '.join(sorted(missing))}")
    if foreign:
        raise _invalid(f"{echo(min(foreign))} does not belong into a bundle of kind {kind}")


def _architecture(store: BlobStore, files: Mapping[str, Artifact], expected: Expected) -> Architecture | None:
    if not expected.is_result or expected.kind != TABULAR_TRAIN:
        return None
    content = _read_json(store, expected.project, files[MODEL_PATH], MAX_MODEL_JSON_BYTES)
    architecture = parse_architecture(content)
    preprocessing = _read_json(store, expected.project, files[PREPROCESS_PATH], PREPROCESS_MAX_BYTES)
    _check_preprocessing(preprocessing, architecture)
    return architecture


def _check_preprocessing(content: bytes, architecture: Architecture) -> None:
    try:
        parsed = json.loads(content)
    except (ValueError, RecursionError):
        raise _invalid("preprocess.json is not JSON") from None
    if not isinstance(parsed, dict):
        raise _invalid("preprocess.json is not a JSON object")
    names = parsed.get("feature_names")
    if names is None:
        return
    if not isinstance(names, list) or len(names) != architecture.input_dim or len(set(map(str, names))) != len(names):
        raise _invalid(f"preprocess.json must name {architecture.input_dim} different features, as model.json says")


def _check_file(
    store: BlobStore, project: str, path: str, artifact: Artifact, architecture: Architecture | None
) -> None:
    """Look at the bytes once: what they are, and that they are those of the digest."""
    with store.open(project, artifact.digest) as file:
        start = file.read(START_BYTES)
        file.seek(max(0, artifact.size_bytes - START_BYTES))
        check_not_forbidden(path, start, file.read(START_BYTES))
        file.seek(0)
        if path.endswith(".safetensors"):
            digest = _checked_state_dict(file, path, artifact, architecture)
        else:
            digest = _digest_of(file)
    store.guard(project, artifact.digest, lambda: check_content(artifact.digest, digest))


def _checked_state_dict(file: BufferedReader, path: str, artifact: Artifact, architecture: Architecture | None) -> str:
    wanted = architecture if path == WEIGHTS_PATH else None
    try:
        return check_state_dict(file, artifact.size_bytes, wanted)
    except HeadwayError:
        file.seek(0)
        digest = _digest_of(file)
        if digest != artifact.digest:
            # Not the host's fault: what it sent was whole, and has gone bad on this disk.
            return digest
        raise


def _digest_of(file: BufferedReader) -> str:
    return digest_of_hash(hashlib.file_digest(file, "sha256"))


def _read_json(store: BlobStore, project: str, artifact: Artifact, max_bytes: int) -> bytes:
    """A JSON text that can be parsed in bounded memory."""
    if artifact.size_bytes > max_bytes:
        raise _invalid(f"{echo(artifact.path)} has {artifact.size_bytes} bytes; the limit is {max_bytes}")
    content = store.read(project, artifact.digest, max_bytes)
    num_values = sum(content.count(mark) for mark in (b",", b"[", b"{"))
    if num_values > JSON_VALUES_MAX:
        raise _invalid(f"{echo(artifact.path)} holds more than {JSON_VALUES_MAX} values")
    return content


def _invalid(message: str, field: str = "bundle.artifacts") -> InvalidManifest:
    return InvalidManifest(message, violations=[Violation(field, InvalidManifest.reason, message)])
