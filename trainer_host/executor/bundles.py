"""Closes a bundle: the attempt's log, the manifest, and the list of artifacts."""

import json
import platform
import shutil
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from google.protobuf import json_format

from headway.contract.digests import sha256_of
from headway.contract.limits import ARTIFACTS_MAX
from headway.contract.manifest import MANIFEST_PATH, Manifest, ManifestArtifact, ManifestInput
from headway.contract.recipes import FatalFailure
from headway.runtime.blobs.blob_file import digest_of_file
from headway.v1.job_specs_pb2 import JobSpec
from trainer_host.child_messages import ArtifactFile, RunAttempt
from trainer_host.executor.attempts import AttemptSession
from trainer_host.executor.reproducible import NumericSettings

LOG_PATH = "logs.jsonl"
RECORDED_PACKAGES = ("headway", "torch", "numpy", "safetensors", "polars")
MEDIA_TYPES = {
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".csv": "text/csv",
    ".svg": "image/svg+xml",
    ".md": "text/markdown",
}
OTHER_MEDIA_TYPE = "application/octet-stream"


def new_bundle_dir(folder: Path) -> None:
    """Make the folder, empty, even when an earlier try left something."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir()


def close_bundle(session: AttemptSession, settings: NumericSettings) -> tuple[ArtifactFile, ...]:
    """Write the log and the manifest; every artifact, the manifest last.

    Raises:
        FatalFailure: TOO_MANY_ARTIFACTS.
    """
    folder = session.bundle_dir
    lines = (line.model_dump_json(exclude={"type"}) for line in session.lines)
    (folder / LOG_PATH).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return write_manifest(folder, session.attempt.order, session.spec, settings)


def write_manifest(
    folder: Path, order: RunAttempt, spec: JobSpec, settings: NumericSettings
) -> tuple[ArtifactFile, ...]:
    """List every file of a folder in its manifest; all of them, the manifest last.

    Raises:
        FatalFailure: TOO_MANY_ARTIFACTS.
    """
    files = tuple(_artifact(folder, path) for path in sorted(folder.rglob("*")) if path.is_file())
    if len(files) >= ARTIFACTS_MAX:
        raise FatalFailure("TOO_MANY_ARTIFACTS", f"the recipe wrote {len(files)} files; at most {ARTIFACTS_MAX - 1}")
    content = _manifest(order, spec, settings, files).model_dump_json(indent=1).encode()
    (folder / MANIFEST_PATH).write_bytes(content)
    manifest = ArtifactFile(
        path=MANIFEST_PATH, digest=sha256_of(content), size_bytes=len(content), media_type=MEDIA_TYPES[".json"]
    )
    return (*files, manifest)


def _artifact(folder: Path, path: Path) -> ArtifactFile:
    return ArtifactFile(
        path=path.relative_to(folder).as_posix(),
        digest=digest_of_file(path),
        size_bytes=path.stat().st_size,
        media_type=MEDIA_TYPES.get(path.suffix, OTHER_MEDIA_TYPE),
    )


def _manifest(order: RunAttempt, spec: JobSpec, settings: NumericSettings, files: tuple[ArtifactFile, ...]) -> Manifest:
    return Manifest(
        job=order.job,
        kind=order.kind,
        attempt=order.attempt,
        host=order.host,
        spec=json.loads(json_format.MessageToJson(spec, preserving_proto_field_name=True)),
        inputs=tuple(
            ManifestInput(
                role=item.role, digest=item.digest, dataset=item.dataset, version=item.version, format=item.format
            )
            for item in order.inputs
        ),
        seed=settings.seed,
        device=settings.device,
        num_threads=settings.num_threads,
        versions=dict(recorded_versions()),
        artifacts=tuple(
            ManifestArtifact(path=file.path, digest=file.digest, size_bytes=file.size_bytes) for file in files
        ),
    )


@cache
def recorded_versions() -> dict[str, str]:
    """Versions of what decides about the bits of a result."""
    found = {"python": platform.python_version()}
    for package in RECORDED_PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
