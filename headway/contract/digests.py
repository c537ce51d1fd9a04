"""The identity of bytes: `sha256:` and 64 lower-case hexadecimal digits."""

import hashlib
import re

from headway.contract.errors import InvalidDigest, Violation, echo

PREFIX = "sha256:"
_PATTERN = re.compile(r"sha256:[0-9a-f]{64}\Z")


def sha256_of(content: bytes | memoryview) -> str:
    """The digest of some bytes."""
    return PREFIX + hashlib.sha256(content).hexdigest()


def digest_of_hash(running: "hashlib._Hash") -> str:
    """The digest of all that a running SHA-256 has been fed."""
    return PREFIX + running.hexdigest()


def check_digest(field: str, text: str) -> str:
    """Return `text` when it is a digest.

    Args:
        field: path of the field it came from, for the error.
        text: what the caller sent.

    Raises:
        InvalidDigest: when it is not; nothing has been looked up.
    """
    if _PATTERN.match(text):
        return text
    message = f"{echo(text)} is not a digest"
    raise InvalidDigest(
        message,
        violations=[Violation(field, InvalidDigest.reason, message, "sha256: and 64 lower-case hexadecimal digits")],
    )


def hex_of(digest: str) -> str:
    """The hexadecimal part of a checked digest."""
    return digest.removeprefix(PREFIX)
