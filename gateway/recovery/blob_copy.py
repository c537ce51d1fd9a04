"""Copies blobs from one blob store into another, each checked on the way. Blocking."""

from collections.abc import Callable, Iterable

from gateway.blobs.store import BlobStore
from gateway.recovery.blob_check import BlobVerdict
from gateway.recovery.named_blobs import NamedBlob

_PIECE_BYTES = 1024 * 1024


def copy_blobs(
    source: BlobStore, target: BlobStore, blobs: Iterable[NamedBlob], on_progress: Callable[[int], None]
) -> BlobVerdict:
    """Copy what is whole; each copy is on disk when it has its name.

    Args:
        source: has the blobs.
        target: gets them; what it has already is left.
        blobs: those to copy.
        on_progress: told the bytes copied so far.

    Raises:
        DiskFull: `target` has no room.
    """
    target.prepare()
    verdict, num_copied = BlobVerdict(), 0
    for blob in blobs:
        found = source.find(blob.project, blob.digest)
        if found is None:
            verdict.missing.append(blob.digest)
            continue
        if target.find(blob.project, blob.digest) is not None or _copy(source, target, blob, found.size_bytes):
            verdict.num_whole += 1
            verdict.num_bytes += found.size_bytes
        else:
            verdict.damaged.append(blob.digest)
        num_copied += found.size_bytes
        on_progress(num_copied)
    return verdict


def _copy(source: BlobStore, target: BlobStore, blob: NamedBlob, size_bytes: int) -> bool:
    """Copy one blob; whether its bytes are those of its digest."""
    part = target.new_part(blob.project, blob.digest, size_bytes)
    try:
        with source.open(blob.project, blob.digest) as file:
            while piece := file.read(_PIECE_BYTES):
                part.write(piece)
        if part.digest != blob.digest:
            part.discard()
            return False
        target.publish(part, blob.project)
    except BaseException:
        part.discard()
        raise
    return True
