"""Brings bundles from the blob store: every digest checked, resumed where a stream broke, all or nothing."""

import asyncio
import hashlib
import os
import shutil
import tempfile
from contextlib import aclosing
from pathlib import Path, PurePosixPath

import grpc.aio

from headway.client.retries import Patience, is_passing
from headway.client.uploads import Progress
from headway.contract.digests import digest_of_hash
from headway.contract.errors import AlreadyExists, DigestMismatch, InvalidManifest
from headway.runtime.clock import Clock
from headway.runtime.remote_error import RemoteError, responses
from headway.v1.blobs_service_pb2 import DownloadBlobRequest
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
                await self._fetch(artifact, _place(partial, artifact.path), on_progress)
            await asyncio.to_thread(partial.rename, folder)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise

    async def _fetch(self, artifact: Artifact, path: Path, on_progress: Progress) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        hasher = hashlib.sha256()
        waits = self._patience.waits()
        with path.open("xb") as file:
            while file.tell() < artifact.size_bytes:
                request = DownloadBlobRequest(parent=self._parent, digest=artifact.digest, offset_bytes=file.tell())
                try:
                    async with aclosing(responses(self._stub.DownloadBlob(request))) as pieces:
                        async for piece in pieces:
                            hasher.update(piece.data)
                            file.write(piece.data)
                            on_progress(artifact.path, file.tell(), artifact.size_bytes)
                    break
                except RemoteError as error:
                    wait = next(waits, None)
                    if wait is None or not is_passing(error):
                        raise
                    await self._clock.sleep(wait)
            file.flush()
            await asyncio.to_thread(os.fsync, file.fileno())
        if digest_of_hash(hasher) != artifact.digest:
            raise DigestMismatch(f"{artifact.path} arrived damaged: its digest is not {artifact.digest}; pull again")


def holds(folder: Path, bundle: Bundle) -> bool:
    """Whether a folder has every file of a bundle, with the right bytes, and nothing else."""
    wanted = {artifact.path: artifact.digest for artifact in bundle.artifacts}
    present = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    return present.keys() == wanted.keys() and all(_digest(path) == wanted[name] for name, path in present.items())


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return digest_of_hash(hashlib.file_digest(file, "sha256"))


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
