"""Follows the services' log files and passes on what a person should see."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from headway.runtime.clock import Clock

_POLL_SECONDS = 0.3
_QUIET_SECONDS = 30.0
_MAX_READ_BYTES = 256 * 1024
_LEVELS = frozenset({"warning", "error", "critical", "fatal"})
_OWN_FIELDS = frozenset(
    {"timestamp", "level", "event", "message", "service", "category", "logger", "module", "exception"}
)

Tell = Callable[[str, str, str], None]
"""Gets service, level and text."""


@dataclass(slots=True)
class LogFollower:
    """Where reading of each log file stands; it begins at the present end."""

    files: dict[str, Path]
    offsets: dict[str, int] = field(default_factory=dict)
    rests: dict[str, bytes] = field(default_factory=dict)

    def start(self) -> None:
        """Take the present ends as the beginning."""
        for name, path in self.files.items():
            self.offsets[name] = path.stat().st_size if path.exists() else 0

    def new_lines(self, name: str) -> list[str]:
        """Whole lines that were added to a log file since the last call."""
        path = self.files[name]
        size = path.stat().st_size if path.exists() else 0
        offset = self.offsets.get(name, 0)
        if size < offset:
            offset = 0
        with path.open("rb") if size > offset else Path("/dev/null").open("rb") as file:
            file.seek(offset)
            added = file.read(_MAX_READ_BYTES)
        self.offsets[name] = offset + len(added)
        *lines, self.rests[name] = (self.rests.get(name, b"") + added).split(b"\n")
        return [line.decode("utf-8", "replace") for line in lines]


@dataclass(slots=True)
class Repeats:
    """Lets the same words of a service pass once in a while; a lost connection says so many times a second."""

    told: dict[tuple[str, str], float] = field(default_factory=dict)

    def may_tell(self, service: str, text: str, *, now: float) -> bool:
        """Whether to tell this now; values (`name=...`) do not make other words of it."""
        words = (service, text.partition("=")[0])
        if now - self.told.get(words, -_QUIET_SECONDS) < _QUIET_SECONDS:
            return False
        self.told[words] = now
        return True


async def tell_warnings(follower: LogFollower, tell: Tell, clock: Clock) -> None:
    """Pass on every warning and error until cancelled. Files are polled: they are written by other processes."""
    repeats = Repeats()
    while True:
        for name in follower.files:
            for line in follower.new_lines(name):
                found = parse_line(line)
                if found and repeats.may_tell(name, found[1], now=clock.monotonic()):
                    tell(name, *found)
        await clock.sleep(_POLL_SECONDS)


def parse_line(line: str) -> tuple[str, str] | None:
    """Level and text of a log line that a person should see; None for the rest."""
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    if not isinstance(entry, dict) or entry.get("level") not in _LEVELS:
        return None
    rest = " ".join(f"{name}={value}" for name, value in entry.items() if name not in _OWN_FIELDS)
    return str(entry["level"]), f"{entry.get('event') or entry.get('message')} {rest}".strip()
