"""Where blobs and parts of blobs lie below the store's root.

`<project>/sha256/<2 digits>/<64 digits>` are blobs: whole, checked, never changed. `<project>/incoming/` holds parts:
`<64 digits>.kept` is what an interrupted upload left, `<token>.part` belongs to one upload that is under way.
"""

import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from headway.contract.digests import hex_of

KEPT_SUFFIX = ".kept"
PART_SUFFIX = ".part"
UNUSED_SUFFIX = ".unused"

_PROJECT = re.compile(r"[a-z][a-z0-9-]{0,62}")
_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class BlobLayout:
    """Paths only; nothing here touches the disk."""

    root: Path

    def blob(self, project: str, digest: str) -> Path:
        """Where the blob is, or would be."""
        digits = _checked(_HEX, hex_of(digest))
        return self._project(project) / "sha256" / digits[:2] / digits

    def kept(self, project: str, digest: str) -> Path:
        """Where an interrupted upload of the blob leaves what came."""
        return self.incoming(project) / (_checked(_HEX, hex_of(digest)) + KEPT_SUFFIX)

    def bad(self, project: str, digest: str) -> Path:
        """Where a blob goes whose bytes turned out not to be those of its digest."""
        return self.incoming(project) / f"{_checked(_HEX, hex_of(digest))}.bad"

    def unused(self, project: str, digest: str) -> Path:
        """Where a blob lies in the moment before it is deleted."""
        return self.incoming(project) / (_checked(_HEX, hex_of(digest)) + UNUSED_SUFFIX)

    def new_part(self, project: str, digest: str) -> Path:
        """A fresh path for one upload. It names the digest so that a restart can still tell what it was."""
        return self.incoming(project) / f"{_checked(_HEX, hex_of(digest))}.{secrets.token_hex(8)}{PART_SUFFIX}"

    def new_nameless_part(self, project: str) -> Path:
        """A fresh path for content whose digest is not known yet."""
        return self.incoming(project) / f"{secrets.token_hex(16)}{PART_SUFFIX}"

    def incoming(self, project: str) -> Path:
        """The folder of parts."""
        return self._project(project) / "incoming"

    def _project(self, project: str) -> Path:
        return self.root / _checked(_PROJECT, project)


def _checked(pattern: re.Pattern[str], text: str) -> str:
    """The last wall: servicers have checked already, and no other text may ever become a path."""
    if pattern.fullmatch(text) is None:
        raise ValueError(f"{text[:64]!r} cannot be part of a path in the blob store")
    return text
