"""Looks whether the bytes that the records name are there and whole. Blocking."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from gateway.blobs.store import BlobStore
from gateway.recovery.named_blobs import NamedBlob
from headway.contract.digests import digest_of_hash


@dataclass(slots=True)
class BlobVerdict:
    """What was found.

    Attributes:
        num_whole: blobs whose bytes are those of their digest.
        num_bytes: of them.
        missing: digests of those that are not there.
        damaged: digests of those with other bytes.
    """

    num_whole: int = 0
    num_bytes: int = 0
    missing: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)


def check_blobs(store: BlobStore, blobs: Iterable[NamedBlob], on_progress: Callable[[int], None]) -> BlobVerdict:
    """Read every blob through.

    Args:
        store: the gateway's.
        blobs: those to look for.
        on_progress: told the bytes read so far.
    """
    verdict, num_read = BlobVerdict(), 0
    for blob in blobs:
        found = store.find(blob.project, blob.digest)
        if found is None:
            verdict.missing.append(blob.digest)
            continue
        with store.open(blob.project, blob.digest) as file:
            digest = digest_of_hash(hashlib.file_digest(file, "sha256"))
        num_read += found.size_bytes
        if digest != blob.digest:
            verdict.damaged.append(blob.digest)
        else:
            verdict.num_whole += 1
            verdict.num_bytes += found.size_bytes
        on_progress(num_read)
    return verdict
