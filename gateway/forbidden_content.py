"""Files that headway never keeps in a bundle, because reading them can run code or unpack without bounds."""

import re
from pathlib import PurePosixPath

from headway.contract.errors import ForbiddenContent, Violation, echo

START_BYTES = 512
"""How much of a file's beginning is looked at."""

_ENDINGS = frozenset(
    {".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".bin", ".joblib", ".dill", ".npz", ".zip", ".tar", ".gz", ".tgz"}
)
_STARTS = {
    b"PK\x03\x04": "a zip archive, as torch.save writes",
    b"PK\x05\x06": "a zip archive",
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x7fELF": "a program",
    b"#!": "a program",
    b"MZ": "a program",
}
_TAR_MAGIC_OFFSET = 257
# A pickle says its protocol, 2 to 5, first; one of protocol 0 or 1 begins with a mark, a container or a global.
_PICKLE = re.compile(rb"\x80[\x02-\x05]|[(\]}]*(?:c[A-Za-z_][\w.]*\n[\w.]+\n|\(?[dl]p\d*\n|i[A-Za-z_][\w.]*\n\w+\n)")


def check_not_forbidden(path: str, start: bytes) -> None:
    """Refuse a file by its name or its first bytes; nothing of it is interpreted.

    Args:
        path: inside the bundle.
        start: at least the first 512 bytes, or all there are.

    Raises:
        ForbiddenContent: a pickle, an archive, compressed, or a program.
    """
    ending = PurePosixPath(path).suffix.lower()
    what = f"named {ending}" if ending in _ENDINGS else _kind_of(start)
    if what:
        message = f"{echo(path)} is {what}; headway keeps safetensors and plain files only"
        raise ForbiddenContent(message, violations=[Violation("bundle.artifacts", ForbiddenContent.reason, message)])


def _kind_of(start: bytes) -> str:
    for magic, what in _STARTS.items():
        if start.startswith(magic):
            return what
    if start[_TAR_MAGIC_OFFSET : _TAR_MAGIC_OFFSET + 5] == b"ustar":
        return "a tar archive"
    return "a pickle" if _PICKLE.match(start) else ""
