"""Task groups whose tasks serve one purpose: their first error is the error, not a group of one."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def sole_error() -> Iterator[None]:
    """Raise the first exception of a group as itself, so that callers decide by its class. Around a TaskGroup."""
    try:
        yield
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
