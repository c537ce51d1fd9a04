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
# A pickle says its protocol, 2 to 5, first.
_PICKLE = re.compile(rb"\x80[\x02-\x05]")
# One of protocol 0 or 1 begins with a global, a container or a mark, as a text might, and ends with a full stop.
_OLD_PICKLE = re.compile(
    rb"[}\])]q\x00|[(\]}]*(?:c[A-Za-z_][\w.]*\n[\w.]+\n|\(?[dl]p\d*\n|i[A-Za-z_][\w.]*\n\w+\n)", re.ASCII
)


def check_not_forbidden(path: str, start: bytes, end: bytes) -> None:
    """Refuse a file by its name, its first and its last bytes; nothing of it is interpreted.

    Args:
        path: inside the bundle.
        start: at least the first 512 bytes, or all there are.
        end: at least the last byte, if there is one.

    Raises:
        ForbiddenContent: a pickle, an archive, compressed, or a program.
    """
    ending = PurePosixPath(path).suffix.lower()
    what = f"named {ending}" if ending in _ENDINGS else _kind_of(start, end)
    if what:
        message = f"{echo(path)} is {what}; headway keeps safetensors and plain files only"
        raise ForbiddenContent(message, violations=[Violation("bundle.artifacts", ForbiddenContent.reason, message)])


def _kind_of(start: bytes, end: bytes) -> str:
    for magic, what in _STARTS.items():
        if start.startswith(magic):
            return what
    if start[_TAR_MAGIC_OFFSET : _TAR_MAGIC_OFFSET + 5] == b"ustar":
        return "a tar archive"
    is_pickle = _PICKLE.match(start) or (_OLD_PICKLE.match(start) and end.rstrip().endswith(b"."))
    return "a pickle" if is_pickle else ""
