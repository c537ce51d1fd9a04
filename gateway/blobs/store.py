"""The content-addressed store: what is visible in it is whole, checked and on disk."""

import math
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import TypeVar

from gateway.blobs.disk import check_room
from gateway.blobs.layout import KEPT_SUFFIX, PART_SUFFIX, UNUSED_SUFFIX, BlobLayout
from gateway.blobs.parts import Part
from gateway.blobs.settings import BlobSettings
from headway.contract.digests import PREFIX, sha256_of
from headway.contract.errors import BlobTooLarge, DigestMismatch, DiskFull, NotFound, echo
from headway.runtime.disk import fsync_path, make_folder
from headway.runtime.logs import get_logger

T = TypeVar("T")

_log = get_logger(__name__)
_HEX_DIGITS = 64


@dataclass(frozen=True, slots=True)
class BlobInfo:
    """A visible blob.

    Attributes:
        digest: of its content.
        size_bytes: of its content.
    """

    digest: str
    size_bytes: int


class BlobStore:
    """Files below one root, a folder a project. Every method blocks: call it in a thread.

    Nothing needs a lock: a blob is only ever made by a rename of a whole file to a name that says its content.
    """

    def __init__(self, root: Path, settings: BlobSettings) -> None:
        """Args: root: a folder of this gateway alone; made by `prepare`. settings: the bounds."""
        self._layout = BlobLayout(root)
        self._root = root
        self._doubted: set[Path] = set()
        self._settings = settings

    def prepare(self) -> None:
        """Make the root and turn the parts of a killed gateway into kept ones. Before anything is served."""
        make_folder(self._root)
        for aside in self._root.glob(f"*/incoming/*{UNUSED_SUFFIX}"):
            # A kill between taking it out of sight and deleting it: let the next look decide.
            digest = PREFIX + aside.name.removesuffix(UNUSED_SUFFIX)
            aside.replace(self._layout.blob(aside.parents[1].name, digest))
        for part in sorted(self._root.glob(f"*/incoming/*{PART_SUFFIX}")):
            digits = part.name.split(".", 1)[0]
            kept = part.with_name(digits + KEPT_SUFFIX)
            if len(digits) != _HEX_DIGITS or (kept.exists() and kept.stat().st_size >= part.stat().st_size):
                part.unlink(missing_ok=True)
            else:
                part.replace(kept)

    def find(self, project: str, digest: str) -> BlobInfo | None:
        """What the store holds under a digest; None when it is missing."""
        try:
            return BlobInfo(digest, self._layout.blob(project, digest).stat().st_size)
        except FileNotFoundError:
            return None

    def use(self, project: str, digest: str) -> BlobInfo | None:
        """As `find`, for a caller who will rely on the blob: it is not deleted for `unused_hours` from now on."""
        path = self._layout.blob(project, digest)
        try:
            os.utime(path)
        except FileNotFoundError:
            return None
        return None if path in self._doubted else self.find(project, digest)

    def find_missing(self, project: str, digests: Iterable[str]) -> list[str]:
        """Those of some digests that the store lacks, in order; the others are used by this, as `use` says."""
        return [digest for digest in digests if self.use(project, digest) is None]

    def unused_since(self, before: float) -> Iterator[tuple[str, BlobInfo]]:
        """The blobs that were last used earlier than `before`, seconds since the epoch, each with its project."""
        for path in self._root.glob("*/sha256/*/*"):
            found = path.stat()
            if found.st_mtime < before:
                yield path.parents[2].name, BlobInfo(PREFIX + path.name, found.st_size)

    def last_used(self, project: str, digest: str) -> float:
        """When the blob was last made or used, seconds since the epoch; infinity when there is none."""
        try:
            return self._layout.blob(project, digest).stat().st_mtime
        except FileNotFoundError:
            return math.inf

    def put(self, project: str, content: bytes) -> BlobInfo:
        """Store bytes that are at hand; on return they are on disk.

        Raises:
            BlobTooLarge, DiskFull: a limit.
        """
        found = self.use(project, sha256_of(content))
        if found is not None:
            self.settle(project, [found.digest])
            return found
        part = self.new_nameless_part(project, len(content))
        try:
            part.write(content)
            return self.publish(part, project)
        finally:
            part.discard()

    def delete_unused(self, project: str, digest: str, before: float) -> bool:
        """Delete a blob that no record names, unless somebody uses it at this very moment; whether it went.

        It is taken out of sight first. Whoever asked for it before that has made it young, and it comes back; whoever
        asks later finds it missing, and sends it again.
        """
        path, aside = self._layout.blob(project, digest), self._layout.unused(project, digest)
        make_folder(aside.parent)
        path.replace(aside)
        if aside.stat().st_mtime >= before:
            aside.replace(path)
            return False
        aside.unlink()
        return True

    def path(self, project: str, digest: str) -> Path:
        """Where the blob lies, for a reader in another process; nothing says that it exists."""
        return self._layout.blob(project, digest)

    def open(self, project: str, digest: str) -> BufferedReader:
        """Open a blob for reading, without a check of its bytes.

        Raises:
            NotFound: there is none.
        """
        try:
            return self._layout.blob(project, digest).open("rb")
        except FileNotFoundError:
            raise NotFound(f"no blob has the digest {echo(digest)}", metadata={"digest": digest}) from None

    def read(self, project: str, digest: str, max_bytes: int) -> bytes:
        """A small blob, whole and checked.

        Raises:
            NotFound: there is none.
            BlobTooLarge: it has more than `max_bytes`.
            DigestMismatch: the disk holds other bytes than were stored.
        """
        with self.open(project, digest) as file:
            content = file.read(max_bytes + 1)
        if len(content) > max_bytes:
            raise BlobTooLarge(f"the file has more than {max_bytes} bytes", metadata={"limit_bytes": str(max_bytes)})
        self.guard(project, digest, lambda: check_content(digest, sha256_of(content)))
        return content

    def guard(self, project: str, digest: str, check: Callable[[], T]) -> T:
        """Run a check of a blob's bytes, and set the blob aside when they turn out bad.

        A blob that is set aside is missing: whoever still has the bytes can send them again.

        Raises:
            DigestMismatch: as `check` did.
        """
        try:
            return check()
        except DigestMismatch:
            self._layout.blob(project, digest).replace(self._layout.bad(project, digest))
            _log.error("a blob has gone bad and was set aside", digest=digest)
            raise

    def settle(self, project: str, digests: Iterable[str]) -> None:
        """Make sure that blobs which are visible are on disk too, so that something may be acknowledged on them.

        Another caller may have renamed a blob a moment ago and not yet synced its folder.
        """
        paths = [self._layout.blob(project, digest) for digest in digests]
        for folder in {path.parent for path in paths}:
            try:
                fsync_path(folder)
            except OSError:
                self._doubted.update(path for path in paths if path.parent == folder)
                raise

    def new_part(self, project: str, digest: str, num_bytes: int) -> Part:
        """Begin the upload of a blob.

        Raises:
            BlobTooLarge: over the limit.
            DiskFull: it would not fit.
        """
        self.check_size(num_bytes)
        self._check_room(num_bytes)
        return Part.create(self._layout.new_part(project, digest))

    def new_nameless_part(self, project: str, num_bytes: int) -> Part:
        """Begin to take in content whose digest is not known yet; see `new_part`."""
        self.check_size(num_bytes)
        self._check_room(num_bytes)
        return Part.create(self._layout.new_nameless_part(project))

    def kept_size(self, project: str, digest: str) -> int:
        """Bytes that an interrupted upload of the blob left; 0 when none."""
        try:
            return self._layout.kept(project, digest).stat().st_size
        except FileNotFoundError:
            return 0

    def adopt_kept(self, project: str, digest: str, num_bytes: int) -> Part | None:
        """Take over what an interrupted upload left, hashed anew; None when there is nothing.

        Raises:
            DiskFull: `num_bytes` more would not fit.
        """
        self._check_room(num_bytes)
        return Part.adopt(self._layout.kept(project, digest), self._layout.new_part(project, digest))

    def keep(self, part: Part, project: str, digest: str) -> None:
        """Leave an interrupted upload for the next call."""
        part.keep(self._layout.kept(project, digest))

    def publish(self, part: Part, project: str) -> BlobInfo:
        """Make a part visible under its own digest; on return it is on disk."""
        info = BlobInfo(part.digest, part.size)
        path = self._layout.blob(project, info.digest)
        try:
            part.publish(path)
        except (OSError, DiskFull):
            # An fsync that failed may succeed the next time without having written anything. So what this call has
            # made visible counts as missing until it was written anew.
            self._doubted.add(path)
            raise
        self._doubted.discard(path)
        # What an earlier call of the same upload left is of no use any more.
        self._layout.kept(project, info.digest).unlink(missing_ok=True)
        return info

    def drop_stale_parts(self, before: float) -> int:
        """Delete what interrupted uploads left and nobody came back for.

        Args:
            before: seconds since the epoch; parts last written earlier go.

        Returns:
            How many went.
        """
        num_dropped = 0
        for kept in self._root.glob(f"*/incoming/*{KEPT_SUFFIX}"):
            if kept.stat().st_mtime < before:
                kept.unlink(missing_ok=True)
                num_dropped += 1
        return num_dropped

    def check_size(self, num_bytes: int) -> None:
        """Refuse a blob over the limit (BlobTooLarge)."""
        limit = self._settings.max_blob_bytes
        if num_bytes > limit:
            raise BlobTooLarge(
                f"{num_bytes} bytes are over the limit of {limit} for one blob", metadata={"limit_bytes": str(limit)}
            )

    def _check_room(self, num_bytes: int) -> None:
        check_room(self._root, num_bytes, self._settings.min_free_mib)


def check_content(expected: str, found: str) -> None:
    """Refuse to serve or keep bytes that are not those of their digest (DigestMismatch, DATA_LOSS)."""
    if expected != found:
        raise DigestMismatch(
            f"the bytes of {expected} hash to {found}; they are not used",
            metadata={"expected_digest": expected, "found_digest": found},
        )
