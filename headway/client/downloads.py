"""Brings bundles from the blob store: every digest checked, resumed where a stream broke, all or nothing."""

import asyncio
import shutil
import tempfile
from pathlib import Path, PurePosixPath

import grpc.aio

from headway.client.retries import Patience
from headway.client.uploads import Progress
from headway.contract.errors import AlreadyExists, DigestMismatch, InvalidManifest
from headway.runtime.blobs.blob_file import BlobFile, digest_of_file
from headway.runtime.blobs.downloads import download
from headway.runtime.clock import Clock
from headway.runtime.disk import fsync_path
from headway.v1.blobs_service_pb2_grpc import BlobServiceStub
from headway.v1.jobs_pb2 import Artifact, Bundle


class FolderInUse(AlreadyExists):
    """The folder to download into exists and holds something else."""

    reason = "FOLDER_IN_USE"


class Downloads:
    """Downloads from one project."""

    def __init__(self, channel: grpc.aio.Channel, parent: str, clock: Clock, patience: Patience) -> None:
        self._stub = BlobServiceStub(channel)
        self._parent = parent
        self._clock = clock
        self._patience = patience

    async def fetch_bundle(self, bundle: Bundle, folder: Path, on_progress: Progress) -> None:
        """Make `folder` hold exactly the files of a bundle.

        Raises:
            FolderInUse: it exists and holds something else; nothing was changed.
            DigestMismatch, RemoteError, OSError: nothing is left behind.
        """
        if await asyncio.to_thread(folder.exists):
            if await asyncio.to_thread(holds, folder, bundle):
                return
            raise FolderInUse(f"{folder} exists and holds something else; name another folder with --to, or remove it")
        partial = await asyncio.to_thread(_make_partial, folder)
        try:
            for artifact in bundle.artifacts:
                await self.fetch_file(artifact, _place(partial, artifact.path), on_progress)
            await asyncio.to_thread(partial.rename, folder)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise

    async def fetch_file(self, artifact: Artifact, path: Path, on_progress: Progress) -> None:
        """Bring one file of a bundle; raises DigestMismatch, RemoteError and OSError."""
        path.parent.mkdir(parents=True, exist_ok=True)
        file = BlobFile(path, artifact.digest, artifact.size_bytes)

        def on_bytes(num_bytes: int) -> None:
            on_progress(artifact.path, num_bytes, artifact.size_bytes)

        try:
            await self._patience.keep_trying(self._clock, lambda: download(self._stub, self._parent, file, on_bytes))
        except DigestMismatch as error:
            message = f"{artifact.path} arrived damaged: its digest is not {artifact.digest}; pull again"
            raise DigestMismatch(message, metadata=error.metadata) from error
        await asyncio.to_thread(fsync_path, path)


def holds(folder: Path, bundle: Bundle) -> bool:
    """Whether a folder has every file of a bundle, with the right bytes, and nothing else."""
    wanted = {artifact.path: artifact.digest for artifact in bundle.artifacts}
    present = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    if present.keys() != wanted.keys():
        return False
    return all(digest_of_file(path) == wanted[name] for name, path in present.items())


def _make_partial(folder: Path) -> Path:
    """A hidden neighbour to fill, so that the rename at the end stays within one file system."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    partial.chmod(0o755)
    return partial


def _place(folder: Path, path: str) -> Path:
    """Where an artifact goes; a path that leaves the folder is refused, whoever wrote the manifest."""
    pure = PurePosixPath(path)
    if pure.is_absolute() or not pure.parts or ".." in pure.parts:
        raise InvalidManifest(f"the bundle names a file outside itself: {path!r}")
    return folder.joinpath(*pure.parts)
