"""A finished result as a tar file, piece by piece."""

import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

from headway.contract.limits import CHUNK_BYTES
from headway.v1.jobs_pb2 import Bundle

_BLOCK_BYTES = 512


def tar_pieces(bundle: Bundle, folder: Path) -> Iterator[bytes]:
    """The bundle's files as a tar file, in pieces of at most 256 KiB; blocks.

    Only files that the bundle names are in it, owned by nobody and dated 1970, so that equal bundles give equal bytes.

    Raises:
        OSError: a file cannot be read, or has not the size that the bundle says.
    """
    for artifact in bundle.artifacts:
        entry = tarfile.TarInfo(artifact.path)
        entry.size = artifact.size_bytes
        entry.mode = 0o644
        yield entry.tobuf(tarfile.PAX_FORMAT)
        yield from _content(folder / artifact.path, artifact.size_bytes)
    yield bytes(2 * _BLOCK_BYTES)


def _content(path: Path, size_bytes: int) -> Iterator[bytes]:
    with io.FileIO(path) as file:
        found = os.fstat(file.fileno()).st_size
        if found != size_bytes:
            raise OSError(f"{path.name} has {found} bytes instead of {size_bytes}")
        while piece := file.read(CHUNK_BYTES):
            yield piece
    yield bytes(-size_bytes % _BLOCK_BYTES)
