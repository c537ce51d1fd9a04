"""Keys of callers: `hw_<key id>_<secret>_<checksum>`. Stored is only the SHA-256; the checksum spares look-ups.

The checksum is no secret: it turns mistyped and made-up keys away before the store is asked.
"""

import base64
import hashlib
import hmac
import os
import re
import secrets
import stat
import zlib
from dataclasses import dataclass
from pathlib import Path

from headway.contract.errors import InvalidKey
from headway.runtime.disk import fsync_path, make_folder

MAX_KEY_CHARACTERS = 128
INVALID_KEY_MESSAGE = "The key is not valid; make a new one with `headway keys create` or ask an administrator."

_KEY = re.compile(r"hw_([a-z2-7]{12})_([a-z2-7]{32})_([a-z2-7]{7})")
_KEY_ID_BYTES = 8
_SECRET_BYTES = 20


@dataclass(frozen=True, slots=True)
class Key:
    """A new key.

    Attributes:
        text: what the caller sends; shown once, stored nowhere.
        key_id: names the key in the store and in logs.
        sha256: of the text; what the store keeps.
    """

    text: str
    key_id: str
    sha256: bytes

    def __repr__(self) -> str:
        """Without the secret."""
        return f"Key(key_id={self.key_id!r})"


def make_key() -> Key:
    """A new random key: 160 bits of secret."""
    key_id = _base32(secrets.token_bytes(_KEY_ID_BYTES))[:12]
    body = f"hw_{key_id}_{_base32(secrets.token_bytes(_SECRET_BYTES))}"
    text = f"{body}_{_checksum(body)}"
    return Key(text, key_id, digest(text))


def parse(text: str) -> str:
    """The id of a well-formed key.

    Raises:
        InvalidKey: too long, of another shape, or with a wrong checksum; the same text for all.
    """
    match = _KEY.fullmatch(text) if len(text) <= MAX_KEY_CHARACTERS else None
    if match is None or not hmac.compare_digest(_checksum(text[:-8]), match[3]):
        raise InvalidKey(INVALID_KEY_MESSAGE)
    return match[1]


def digest(text: str) -> bytes:
    """SHA-256 of a key's text, 32 bytes. A slow hash would add nothing: the secret is 160 random bits."""
    return hashlib.sha256(text.encode()).digest()


def write_key_file(path: Path, text: str) -> None:
    """Write a key for its owner alone (0600), whole or not at all, on disk on return; an existing file is replaced."""
    make_folder(path.parent)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        fsync_path(path.parent)
    finally:
        draft.unlink(missing_ok=True)


def read_key_file(path: Path) -> str:
    """The key in a file.

    Raises:
        InvalidKey: the file is readable by others, is missing or holds no key; the message says what to do.
    """
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidKey(f"The key file {path.name} cannot be read: {type(error).__name__}.") from error
    if stat.S_IMODE(mode) & 0o077:
        raise InvalidKey(f"The key file {path.name} can be read by others; run: chmod 600 {path.name}")
    parse(text)
    return text


def _checksum(body: str) -> str:
    return _base32(zlib.crc32(body.encode("ascii")).to_bytes(4, "big"))


def _base32(data: bytes) -> str:
    return base64.b32encode(data).decode("ascii").rstrip("=").lower()
