"""How long to leave a sink alone after it failed. Pure."""

FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 60.0
LONGEST_PATIENCE_SECONDS = 3600.0
"""The longest wait that the other side can ask for: a slip of its pen must not silence a sink for years."""

SHUT_WAIT_SECONDS = 900.0
"""Between two tries at a sink that takes nothing until somebody acts."""


def retry_wait_seconds(num_failures: int, retry_after_seconds: float | None) -> float:
    """The wait before the next try: 1, 2, 4 ... 60 seconds, and never less than the other side asked for.

    Args:
        num_failures: in a row, from 1.
        retry_after_seconds: what the other side asked for; None where it did not.
    """
    backoff = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2.0 ** min(num_failures - 1, 16))
    return max(backoff, min(LONGEST_PATIENCE_SECONDS, retry_after_seconds or 0.0))
