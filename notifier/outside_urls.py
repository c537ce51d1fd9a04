"""Which addresses the notifier may send to. Pure.

What is sent, and the secret that it is sent with, must not travel readable: https, or this machine.
"""

import ipaddress
from urllib.parse import SplitResult, urlsplit


def checked_url(url: str, *, schemes: tuple[str, str] = ("https", "http"), is_plain_allowed: bool = False) -> str:
    """The URL itself.

    Args:
        url: as it was set.
        schemes: the encrypted one, and the one that is readable on its way.
        is_plain_allowed: whether the readable one may leave this machine.

    Raises:
        ValueError: it cannot be used. The message says why and what to do, and never holds the URL: it may be a secret.
    """
    encrypted, plain = schemes
    parts = _split(url)
    if parts.scheme not in schemes or not parts.hostname:
        raise ValueError(f"must be an address such as {encrypted}://host/path")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must hold no user and no password: they would be logged on their way; use the secret")
    if any(not character.isprintable() or character.isspace() for character in url):
        raise ValueError("must hold no spaces")
    if parts.scheme == plain and not (is_plain_allowed or is_loopback(parts.hostname)):
        raise ValueError(f"must begin with {encrypted}://: over {plain}:// others can read and forge what is sent")
    return url


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only be this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port  # Reading it checks it.
    except ValueError as error:
        raise ValueError("is no address") from error
    return parts
