"""Reads a call's metadata once."""

from collections.abc import Iterable

Metadata = Iterable[tuple[str, str | bytes]]

REQUEST_ID = "x-request-id"
API_KEY = "x-api-key"
AUTHORIZATION = "authorization"
_BEARER = "bearer "


def read(metadata: Metadata | None, wanted: str) -> str | None:
    """The first text value of a name; None when it is absent."""
    for name, value in metadata or ():
        if name == wanted and isinstance(value, str):
            return value
    return None


def read_key(metadata: Metadata | None) -> str | None:
    """The caller's key: `x-api-key`, or `authorization: Bearer ...`; None when there is neither."""
    key = read(metadata, API_KEY)
    if key is not None:
        return key
    authorization = read(metadata, AUTHORIZATION)
    if authorization is None:
        return None
    if authorization[: len(_BEARER)].lower() != _BEARER:
        return authorization  # Another scheme: not a key, and refused as one.
    return authorization[len(_BEARER) :].strip()
