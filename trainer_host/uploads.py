"""A bundle's files on their way to the gateway: only what it lacks, some at a time."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from headway.contract.errors import Code
from headway.runtime.blobs.blob_file import BlobFile
from headway.runtime.blobs.uploads import find_missing, upload
from headway.runtime.remote_error import RemoteError
from headway.v1.jobs_pb2 import Bundle
from trainer_host.sole_error import sole_error

if TYPE_CHECKING:
    # The stubs of grpc.aio exist for type checkers only.
    from headway.v1.blobs_service_pb2_grpc import BlobServiceAsyncStub

_NUM_AT_ONCE = 3
"""Small files are bound by round trips and by the gateway's fsyncs, which overlap; a large one fills the link alone."""


class Uploads:
    """Sends bundles. Holds no state between calls: what the gateway keeps of a broken upload, it is asked."""

    def __init__(self, blobs: "BlobServiceAsyncStub") -> None:
        self._blobs = blobs

    async def send_bundle(self, parent: str, bundle: Bundle, folder: Path) -> None:
        """Return when the gateway has every file of the bundle.

        Args:
            parent: `projects/{project}` whose blobs they become.
            bundle: the files, by path and digest.
            folder: where they lie.

        Raises:
            RemoteError: the first one that an upload met.
            OSError: a file cannot be read.
        """
        by_digest = {artifact.digest: artifact for artifact in bundle.artifacts}
        missing = await find_missing(self._blobs, parent, list(by_digest))
        gate = asyncio.Semaphore(_NUM_AT_ONCE)
        with sole_error():
            async with asyncio.TaskGroup() as group:
                for digest in missing:
                    artifact = by_digest[digest]
                    file = BlobFile(folder / artifact.path, digest, artifact.size_bytes)
                    group.create_task(self._send_when_free(gate, parent, file))

    async def _send_when_free(self, gate: asyncio.Semaphore, parent: str, file: BlobFile) -> None:
        async with gate:
            await upload(self._blobs, parent, file)


def blames_the_bytes(error: RemoteError) -> bool:
    """Whether the gateway says that content is not what its digest says: a fault of the link, or of this disk."""
    return error.code is Code.DATA_LOSS or error.reason in {"GZIP_INVALID", "SIZE_MISMATCH", "DIGEST_MISMATCH"}
