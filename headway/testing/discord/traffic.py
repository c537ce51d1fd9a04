"""What was asked: counts by route, invalid requests, and the rate limits that Discord would hold."""

import secrets
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from headway.runtime.clock import Clock
from headway.testing.discord.faults import Reply, rate_limited

MAX_RECORDS = 10_000
_INVALID = frozenset({401, 403, 429})


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One request.

    Attributes:
        method: of HTTP.
        path: behind the API's base.
        status: that it got; 0 when its connection was closed instead.
        time: monotonic, of the end.
    """

    method: str
    path: str
    status: int
    time: float


class Traffic:
    """Every request so far in numbers, and the newest ones one by one."""

    def __init__(self) -> None:
        self.records: deque[RequestRecord] = deque(maxlen=MAX_RECORDS)
        self.num_invalid = 0
        self.by_status: Counter[int] = Counter()

    def note(self, record: RequestRecord) -> None:
        """Count one; 401, 403 and 429 are invalid requests: ten thousand in ten minutes are a ban."""
        self.records.append(record)
        self.by_status[record.status] += 1
        self.num_invalid += record.status in _INVALID

    def count(self, method: str = "*", pattern: str = "*", status: int | None = None) -> int:
        """How many of the newest requests match; the pattern as `fnmatch` has it."""
        return sum(
            method in {"*", one.method} and fnmatchcase(one.path, pattern) and status in {None, one.status}
            for one in self.records
        )


@dataclass(frozen=True, slots=True)
class Rate:
    """How many requests a route of one channel takes in a time."""

    count: int
    seconds: float


DISCORDS_RATE = Rate(5, 5.0)
"""What Discord usually allows for messages in one channel; it says so only in headers, and may change it."""


@dataclass(slots=True)
class _Window:
    end: float
    num_used: int = 0


class RateLimits:
    """Counts requests per route and channel, and answers 429 to what is too much."""

    def __init__(self, rate: Rate | None, clock: Clock) -> None:
        self._rate = rate
        self._clock = clock
        self._windows: dict[str, _Window] = {}
        self._salt = secrets.token_hex(4)

    def take(self, bucket: str) -> tuple[Mapping[str, str], Reply | None]:
        """Spend one request of a bucket; the headers of its answer, and the refusal when it was one too many."""
        if self._rate is None:
            return {}, None
        now = self._clock.monotonic()
        window = self._windows.get(bucket)
        if window is None or now >= window.end:
            window = self._windows[bucket] = _Window(now + self._rate.seconds)
        wait = window.end - now
        headers = {
            "X-RateLimit-Bucket": f"{self._salt}{abs(hash(bucket)):x}",
            "X-RateLimit-Limit": str(self._rate.count),
            "X-RateLimit-Reset-After": f"{wait:.3f}",
            "X-RateLimit-Reset": f"{self._clock.now().timestamp() + wait:.3f}",
        }
        if window.num_used >= self._rate.count:
            return {**headers, "X-RateLimit-Remaining": "0"}, rate_limited(round(wait, 3))
        window.num_used += 1
        return {**headers, "X-RateLimit-Remaining": str(self._rate.count - window.num_used)}, None
