"""How long to leave a sink alone after it failed. Pure."""

FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 60.0


def retry_wait_seconds(num_failures: int, retry_after_seconds: float | None) -> float:
    """The wait before the next try: 1, 2, 4 ... 60 seconds, and never less than the other side asked for.

    Args:
        num_failures: in a row, from 1.
        retry_after_seconds: what the other side asked for; None where it did not.
    """
    backoff = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2.0 ** min(num_failures - 1, 16))
    return max(backoff, retry_after_seconds or 0.0)
