"""Opens files that callers name, and only regular files below one folder.

Nothing is checked by path and then opened by path: every part of the path is opened beneath the one before, without
following links, and what was opened is what is looked at. A link put there between two steps is met by the open.
"""

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from headway.contract.errors import InvalidDataPath, UnsupportedScheme, Violation, echo

PATH_MAX_CHARACTERS = 1024
PARTS_MAX = 32

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?://|/)|(?:file|data|https?|ftp|s3|gs):", re.IGNORECASE)
_ALLOWED = "a relative path of a regular file below the gateway's data root, without '..' and without links"


@dataclass(frozen=True, slots=True)
class FileFacts:
    """A file as it was when it was opened. When none of it changes, neither do the bytes, as far as headway can know.

    Attributes:
        data_path: normalised, relative to the data root.
        size_bytes: its size.
        modify_time_ns: nanoseconds since the epoch.
        inode: its number in the file system.
    """

    data_path: str
    size_bytes: int
    modify_time_ns: int
    inode: int

    @property
    def file_name(self) -> str:
        """The last part of the path."""
        return self.data_path.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A file below the data root. Close `file`.

    Attributes:
        file: open for reading, at its beginning.
        facts: as it is now.
    """

    file: BinaryIO
    facts: FileFacts

    def has_changed(self) -> bool:
        """Whether somebody has written to the file since it was opened."""
        return _facts(self.facts.data_path, os.fstat(self.file.fileno())) != self.facts


class DataRoot:
    """The folder below which `data_path` is looked up. Blocking: call it in a thread."""

    def __init__(self, root: Path) -> None:
        """Args: root: may itself be a link; it is the operator's choice."""
        self._root = root

    def open(self, data_path: str, *, field: str = "data_path") -> OpenFile:
        """Open a file.

        Args:
            data_path: as the caller wrote it.
            field: path of the request's field, for violations.

        Raises:
            UnsupportedScheme: it is a URL; nothing is ever fetched.
            InvalidDataPath: it leaves the root, passes a link, is no regular file, has several names (a hard link
                may be another's file), or cannot be read.
        """
        parts = split_path(data_path, field=field)
        try:
            descriptor = self._open_beneath(parts)
        except OSError as error:
            raise _refused(data_path, field, error.strerror or "cannot be opened") from None
        try:
            facts = _facts("/".join(parts), _regular(os.fstat(descriptor), data_path, field))
            # O_NONBLOCK kept the open from waiting for the writer of a FIFO; a regular file does not know it.
            return OpenFile(os.fdopen(descriptor, "rb"), facts)
        except BaseException:
            os.close(descriptor)
            raise

    def _open_beneath(self, parts: list[str]) -> int:
        folder = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for part in parts[:-1]:
                below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
                os.close(folder)
                folder = below
            return os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        finally:
            os.close(folder)


def split_path(data_path: str, *, field: str) -> list[str]:
    """The parts of a path that could be below the root, judged by its text alone.

    Raises:
        UnsupportedScheme: it is a URL.
        InvalidDataPath: it is empty, absolute, too long or too deep, or holds `..`, a backslash or control characters.
    """
    if _SCHEME.match(data_path):
        message = f"{echo(data_path)} is a URL; headway fetches nothing"
        raise UnsupportedScheme(message, violations=[Violation(field, UnsupportedScheme.reason, message, _ALLOWED)])
    if not data_path or len(data_path) > PATH_MAX_CHARACTERS:
        raise _refused(data_path, field, f"has {len(data_path)} characters, 1 to {PATH_MAX_CHARACTERS} are allowed")
    if data_path.startswith(("/", "~")) or "\\" in data_path or not data_path.isprintable():
        raise _refused(data_path, field, "is absolute, or holds a backslash or a control character")
    parts = [part for part in data_path.split("/") if part not in {"", "."}]
    if ".." in parts or not parts or data_path.endswith("/"):
        raise _refused(data_path, field, "holds '..' or names a folder")
    if len(parts) > PARTS_MAX:
        raise _refused(data_path, field, f"is more than {PARTS_MAX} folders deep")
    return parts


def _regular(found: os.stat_result, data_path: str, field: str) -> os.stat_result:
    if not stat.S_ISREG(found.st_mode):
        raise _refused(data_path, field, "is not a regular file")
    if found.st_nlink > 1:
        raise _refused(data_path, field, "has more than one name; copy it instead of linking it")
    return found


def _facts(data_path: str, found: os.stat_result) -> FileFacts:
    return FileFacts(data_path, found.st_size, found.st_mtime_ns, found.st_ino)


def _refused(data_path: str, field: str, why: str) -> InvalidDataPath:
    message = f"the data path {echo(data_path)}: {why}"
    return InvalidDataPath(message, violations=[Violation(field, InvalidDataPath.reason, message, _ALLOWED)])
