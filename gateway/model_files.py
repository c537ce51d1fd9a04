"""Checks the files that make a tabular model: what describes it, its weights, and that they fit together.

For bundles of hosts and for those of anybody else alike: no byte of either is trusted, and nothing needs torch.
"""

import hashlib
import json
from collections.abc import Mapping
from io import BufferedReader
from typing import BinaryIO

from pydantic import ValidationError

from gateway.blobs.store import BlobStore, check_content
from gateway.forbidden_content import START_BYTES, check_not_forbidden
from gateway.state_dicts import check_state_dict
from headway.contract.architectures import MAX_MODEL_JSON_BYTES, Architecture, parse_architecture
from headway.contract.digests import digest_of_hash
from headway.contract.errors import HeadwayError, InvalidManifest, Violation, echo
from headway.contract.manifest import MODEL_PATH, WEIGHTS_PATH, Manifest
from headway.v1.jobs_pb2 import Artifact

PREPROCESS_PATH = "preprocess.json"
PREPROCESS_MAX_BYTES = 8 * 1024 * 1024
MANIFEST_MAX_BYTES = 2 * 1024 * 1024
JSON_VALUES_MAX = 400_000
"""Each value of a JSON text takes up to some 70 bytes of memory once it is parsed, however short its text is."""


def read_manifest(store: BlobStore, project: str, artifact: Artifact) -> Manifest:
    """What `manifest.json` says; raises InvalidManifest when it is none. Blocking."""
    try:
        return Manifest.model_validate_json(read_json(store, project, artifact, MANIFEST_MAX_BYTES))
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(str(part) for part in fault["loc"])
        raise invalid_bundle(f"manifest.json: {where}: {fault['msg']}") from None


def read_architecture(store: BlobStore, project: str, files: Mapping[str, Artifact]) -> Architecture:
    """What `model.json` describes, once `preprocess.json` is seen to fit it. Blocking.

    Raises:
        InvalidManifest: one of them is too large, or preprocess.json is not that of such a model.
        ArchitectureMismatch: model.json does not describe a model.
    """
    architecture = parse_architecture(read_json(store, project, files[MODEL_PATH], MAX_MODEL_JSON_BYTES))
    _check_preprocessing(read_json(store, project, files[PREPROCESS_PATH], PREPROCESS_MAX_BYTES), architecture)
    return architecture


def check_file(
    store: BlobStore, project: str, path: str, artifact: Artifact, architecture: Architecture | None
) -> None:
    """Look at the bytes of one file once: what they are, and that they are those of the digest. Blocking.

    Args:
        store: has the file.
        project: whose it is.
        path: inside the bundle.
        artifact: its digest and size.
        architecture: what the weights must be of; None where that is not known.

    Raises:
        DigestMismatch: it has gone bad; it was set aside.
        ForbiddenContent, InvalidSafetensors, InvalidTensor, TooManyTensors, ArchitectureMismatch: not acceptable.
    """
    with store.open(project, artifact.digest) as file:
        check_ends(file, path, artifact.size_bytes)
        if path.endswith(".safetensors"):
            digest = _checked_state_dict(file, path, artifact, architecture)
        else:
            digest = _digest_of(file)
    store.guard(project, artifact.digest, lambda: check_content(artifact.digest, digest))


def check_ends(file: BinaryIO, path: str, size_bytes: int) -> None:
    """Look at a file's first and last bytes, and go back to its beginning; raises ForbiddenContent."""
    start = file.read(START_BYTES)
    file.seek(max(0, size_bytes - START_BYTES))
    check_not_forbidden(path, start, file.read(START_BYTES))
    file.seek(0)


def read_json(store: BlobStore, project: str, artifact: Artifact, max_bytes: int) -> bytes:
    """A JSON text that can be parsed in bounded memory. Blocking.

    Raises:
        InvalidManifest: it has more than `max_bytes`, or too many values.
    """
    if artifact.size_bytes > max_bytes:
        raise invalid_bundle(f"{echo(artifact.path)} has {artifact.size_bytes} bytes; the limit is {max_bytes}")
    content = store.read(project, artifact.digest, max_bytes)
    num_values = sum(content.count(mark) for mark in (b",", b"[", b"{"))
    if num_values > JSON_VALUES_MAX:
        raise invalid_bundle(f"{echo(artifact.path)} holds more than {JSON_VALUES_MAX} values")
    return content


def invalid_bundle(message: str, field: str = "bundle.artifacts") -> InvalidManifest:
    """The error for a bundle that is not put together as it should be."""
    return InvalidManifest(message, violations=[Violation(field, InvalidManifest.reason, message)])


def _check_preprocessing(content: bytes, architecture: Architecture) -> None:
    try:
        parsed = json.loads(content)
    except (ValueError, RecursionError):
        raise invalid_bundle("preprocess.json is not JSON") from None
    if not isinstance(parsed, dict):
        raise invalid_bundle("preprocess.json is not a JSON object")
    names = parsed.get("feature_names")
    if names is None:
        return
    if not isinstance(names, list) or len(names) != architecture.input_dim or len(set(map(str, names))) != len(names):
        raise invalid_bundle(
            f"preprocess.json must name {architecture.input_dim} different features, as model.json says"
        )


def _checked_state_dict(file: BufferedReader, path: str, artifact: Artifact, architecture: Architecture | None) -> str:
    wanted = architecture if path == WEIGHTS_PATH else None
    try:
        return check_state_dict(file, artifact.size_bytes, wanted)
    except HeadwayError:
        file.seek(0)
        digest = _digest_of(file)
        if digest != artifact.digest:
            # Not the sender's fault: what came was whole, and has gone bad on this disk.
            return digest
        raise


def _digest_of(file: BufferedReader) -> str:
    return digest_of_hash(hashlib.file_digest(file, "sha256"))
