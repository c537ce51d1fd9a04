"""Single files of a bundle, read into memory: its manifest, its figures."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

import grpc.aio

from headway.client.downloads import Downloads
from headway.client.names import project_name
from headway.client.retries import Patience
from headway.client.uploads import ignore
from headway.contract.errors import NotFound
from headway.contract.limits import MIB
from headway.runtime.clock import Clock
from headway.v1.jobs_pb2 import Bundle

MAX_READ_BYTES = 16 * MIB
"""Of a file that `read` takes into memory; metrics.json of a hundred classes and 500 epochs has 0.2 MiB."""


class Bundles:
    """Bundles of one project, of models and jobs alike."""

    def __init__(self, channel: grpc.aio.Channel, project: str, clock: Clock) -> None:
        self._channel = channel
        self._project = project
        self._clock = clock

    async def read(self, bundle: Bundle, path: str, *, owner: str = "", patience: Patience | None = None) -> bytes:
        """The content of one file, checked against its digest.

        Args:
            bundle: as a model version or a job's result tells it.
            path: of the file within the bundle.
            owner: full name of what the bundle belongs to, where that may be of another project.
            patience: how long a gateway may stay silent.

        Raises:
            NotFound: the bundle has no such file, or one too large to read so.
            RemoteError: bad bytes, or the gateway stayed away.
        """
        artifact = next((one for one in bundle.artifacts if one.path == path), None)
        if artifact is None:
            raise NotFound(f"the bundle holds no {path}")
        if artifact.size_bytes > MAX_READ_BYTES:
            raise NotFound(f"{path} has {artifact.size_bytes} bytes, too many to read at once; pull the model instead")
        parent = project_name(owner.split("/")[1] if owner else self._project)
        downloads = Downloads(self._channel, parent, self._clock, patience or Patience())
        with TemporaryDirectory(prefix="headway-") as folder:
            file = Path(folder, "content")
            await downloads.fetch_file(artifact, file, ignore)
            return await asyncio.to_thread(file.read_bytes)
