"""Sends files to the blob store, for as long as patience allows."""

from collections.abc import Callable

import grpc.aio

from headway.client.retries import Patience
from headway.runtime.blobs.blob_file import BlobFile
from headway.runtime.blobs.uploads import find_missing, upload
from headway.runtime.clock import Clock
from headway.v1.blobs_service_pb2_grpc import BlobServiceStub

Progress = Callable[[str, int, int], None]
"""Told what is done (`hashing`, `uploading`, or a file's name), bytes done and bytes in all."""


def ignore(_what: str, _done: int, _total: int) -> None:
    """A progress callback that tells nobody."""


class Uploads:
    """Uploads into one project."""

    def __init__(self, channel: grpc.aio.Channel, parent: str, clock: Clock, patience: Patience) -> None:
        self._stub = BlobServiceStub(channel)
        self._parent = parent
        self._clock = clock
        self._patience = patience

    async def send(self, file: BlobFile, on_progress: Progress = ignore) -> bool:
        """Make sure that the store has a file.

        Returns:
            Whether bytes were sent; False when the store had them.

        Raises:
            RemoteError: refused, or the gateway stayed away for longer than patience allows. What has arrived is kept
                for a while, and a new call goes on there.
            OSError: the file cannot be read.
        """
        if not await find_missing(self._stub, self._parent, [file.digest]):
            return False

        def on_bytes(num_bytes: int) -> None:
            on_progress("uploading", num_bytes, file.size_bytes)

        await self._patience.keep_trying(self._clock, lambda: upload(self._stub, self._parent, file, on_bytes))
        return True
