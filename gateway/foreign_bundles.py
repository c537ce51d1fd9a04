"""Takes bundles below the data root into the blob store, as foreign input: checked like a host's, and without torch.

What is checked is the copy in the store, so a file that is changed meanwhile is never used.
"""

from collections import OrderedDict
from collections.abc import Mapping

from gateway.blobs.disk_threads import DiskThreads
from gateway.blobs.store import BlobStore
from gateway.data_root import DataRoot, FileFacts, OpenFile
from gateway.forbidden_content import check_not_forbidden
from gateway.intake import Intake
from gateway.model_columns import parse_model_columns
from gateway.model_files import (
    MANIFEST_MAX_BYTES,
    PREPROCESS_MAX_BYTES,
    PREPROCESS_PATH,
    check_ends,
    check_file,
    invalid_bundle,
    read_architecture,
    read_json,
    read_manifest,
)
from headway.contract.architectures import MAX_MODEL_JSON_BYTES, Architecture, num_parameters
from headway.contract.errors import InvalidArgument, ModelTooLarge, Violation, echo
from headway.contract.kinds import TABULAR_KINDS
from headway.contract.limits import MIB, MODEL_PARAMETERS_MAX
from headway.contract.manifest import MANIFEST_PATH, MODEL_PATH, WEIGHTS_PATH
from headway.v1.jobs_pb2 import Artifact

MODEL_FILES = (MANIFEST_PATH, MODEL_PATH, PREPROCESS_PATH, WEIGHTS_PATH)
"""Files of a bundle that its model consists of, in the order in which they are looked at: the weights last."""

BYTES_PER_NUMBER = 4
_HEADER_AND_STATISTICS_BYTES = 4 * MIB
_MAX_BYTES: Mapping[str, int] = {
    MANIFEST_PATH: MANIFEST_MAX_BYTES,
    MODEL_PATH: MAX_MODEL_JSON_BYTES,
    PREPROCESS_PATH: PREPROCESS_MAX_BYTES,
    WEIGHTS_PATH: BYTES_PER_NUMBER * MODEL_PARAMETERS_MAX + _HEADER_AND_STATISTICS_BYTES,
}
_REMEMBERED_MAX = 256
_ALLOWED = f"a folder below the gateway's data root that holds {', '.join(MODEL_FILES)}"

_Known = tuple[str, tuple[FileFacts, ...]]


class ForeignBundles:
    """Takes bundles in. One that has not changed since is not read again."""

    def __init__(self, data_root: DataRoot, intake: Intake, blobs: BlobStore, threads: DiskThreads) -> None:
        """Args: data_root: below which they lie. intake: copies from there. blobs: where to. threads: for file work."""
        self._data_root = data_root
        self._intake = intake
        self._blobs = blobs
        self._threads = threads
        self._remembered: OrderedDict[_Known, tuple[Artifact, ...]] = OrderedDict()

    async def take_in(self, project: str, model_path: str, *, field: str) -> tuple[Artifact, ...]:
        """The files of a bundle, whole, checked and on disk in the store.

        Args:
            project: whose store.
            model_path: of the folder, as the caller wrote it.
            field: path of the request's field that named it, for violations.

        Raises:
            InvalidDataPath, UnsupportedScheme: it is no folder that callers may name, or lacks a file.
            InvalidArgument: another subclass: a file is not acceptable; the message names it.
            BlobTooLarge, DiskFull: a limit.
        """
        try:
            return await self._take_in(project, model_path, field)
        except InvalidArgument as error:
            raise _about_field(error, field) from None

    async def _take_in(self, project: str, model_path: str, field: str) -> tuple[Artifact, ...]:
        check_not_forbidden(model_path, b"", b"")
        opened: list[OpenFile] = []
        try:
            for name in MODEL_FILES:
                path = f"{model_path.removesuffix('/')}/{name}"
                opened.append(await self._threads.run(self._data_root.open, path, field=field))
            known = (project, tuple(file.facts for file in opened))
            files = await self._threads.run(self._still_here, known)
            if files is None:
                files = await self._copied(project, opened, field)
                await self._threads.run(self._check, project, files)
                self._remember(known, files)
            return files
        finally:
            for file in opened:
                await self._threads.run(file.file.close)

    def _still_here(self, known: _Known) -> tuple[Artifact, ...] | None:
        files = self._remembered.get(known)
        is_here = files is not None and not self._blobs.find_missing(known[0], [file.digest for file in files])
        return files if is_here else None

    async def _copied(self, project: str, opened: list[OpenFile], field: str) -> tuple[Artifact, ...]:
        files = []
        for name, file in zip(MODEL_FILES, opened, strict=True):
            size = file.facts.size_bytes
            if size > _MAX_BYTES[name]:
                raise invalid_bundle(f"{name} has {size} bytes; the limit is {_MAX_BYTES[name]}")
            await self._threads.run(check_ends, file.file, name, size)
            info = await self._intake.take_in(project, file, field=field)
            files.append(Artifact(path=name, digest=info.digest, size_bytes=info.size_bytes))
        return tuple(files)

    def _check(self, project: str, files: tuple[Artifact, ...]) -> None:
        by_path = {file.path: file for file in files}
        for path in (MANIFEST_PATH, MODEL_PATH, PREPROCESS_PATH):
            check_file(self._blobs, project, path, by_path[path], None)
        self._check_manifest(project, by_path)
        architecture = read_architecture(self._blobs, project, by_path)
        _check_size(architecture)
        content = read_json(self._blobs, project, by_path[PREPROCESS_PATH], PREPROCESS_MAX_BYTES)
        target = parse_model_columns(content).target
        if (target.task, target.classes or None) != (architecture.task, architecture.classes):
            raise invalid_bundle("preprocess.json and model.json differ in the task or the classes")
        check_file(self._blobs, project, WEIGHTS_PATH, by_path[WEIGHTS_PATH], architecture)

    def _check_manifest(self, project: str, by_path: Mapping[str, Artifact]) -> None:
        manifest = read_manifest(self._blobs, project, by_path[MANIFEST_PATH])
        if manifest.kind not in TABULAR_KINDS:
            raise invalid_bundle(f"manifest.json is that of a job of kind {echo(manifest.kind)}, not a tabular one")
        listed = {(file.path, file.digest, file.size_bytes) for file in manifest.artifacts}
        for path, file in by_path.items():
            if path != MANIFEST_PATH and (path, file.digest, file.size_bytes) not in listed:
                raise invalid_bundle(f"{path} is not the file that manifest.json lists; copy the whole bundle again")

    def _remember(self, known: _Known, files: tuple[Artifact, ...]) -> None:
        self._remembered[known] = files
        if len(self._remembered) > _REMEMBERED_MAX:
            self._remembered.popitem(last=False)


def _check_size(architecture: Architecture) -> None:
    num = num_parameters(architecture)
    if num > MODEL_PARAMETERS_MAX:
        raise ModelTooLarge(f"model.json describes {num} parameters; at most {MODEL_PARAMETERS_MAX} are allowed")


def _about_field(error: InvalidArgument, field: str) -> InvalidArgument:
    """The same error, for the field that named the bundle."""
    violation = Violation(field, error.reason, error.message, _ALLOWED)
    return type(error)(error.message, violations=[violation], metadata=error.metadata)
