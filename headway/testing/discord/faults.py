"""The fault script: what the next requests get instead of an answer."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from pydantic import JsonValue

_JSON = "application/json"
_HTML = "text/html; charset=UTF-8"
_PAGE = (
    b"<!DOCTYPE html>\n<html><head><title>Error</title></head>"
    b"<body><h1>Error</h1><p>cloudflare: please try again in a few minutes</p></body></html>"
)
_SENTENCES = {
    50007: "Cannot send messages to this user",
    50278: "Cannot send messages to this user due to having no mutual guilds",
}


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer made up.

    Attributes:
        status: of HTTP.
        body: bytes as sent.
        headers: all of them; Discord's own JSON names no charset.
    """

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hang:
    """No answer for a time, and then a closed connection.

    Attributes:
        seconds: how long; None for as long as the fault script has it.
    """

    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Drop:
    """A connection that is closed in the place of an answer.

    Attributes:
        is_carried_out: whether the request does its work first, and only its answer is lost.
    """

    is_carried_out: bool = False


Effect = Reply | Hang | Drop


@dataclass(slots=True)
class Fault:
    """One line of the script.

    Attributes:
        method: of HTTP, or `*`.
        pattern: of the path behind the API's base, as `fnmatch` has it: `/channels/*/messages`.
        effect: what the request gets.
        num_left: how many requests it still meets; None for all.
        num_hits: how many it has met.
    """

    method: str
    pattern: str
    effect: Effect
    num_left: int | None
    num_hits: int = 0

    def meets(self, method: str, path: str) -> bool:
        """Whether a request is meant."""
        is_left = self.num_left is None or self.num_left > 0
        return is_left and self.method in {"*", method} and fnmatchcase(path, self.pattern)


class FaultScript:
    """Faults in the order in which they were added; the first one that meets a request decides."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, method: str, pattern: str, effect: Effect, *, times: int | None = 1) -> Fault:
        """Let the next `times` requests that match have this effect; None for every one until it is removed."""
        fault = Fault(method, pattern, effect, times)
        self._faults.append(fault)
        return fault

    def remove(self, fault: Fault) -> None:
        """End one fault."""
        if fault in self._faults:
            self._faults.remove(fault)

    def clear(self) -> None:
        """End every fault; what hangs is let go."""
        self._faults.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """The fault that this request meets; it counts."""
        for fault in self._faults:
            if fault.meets(method, path):
                fault.num_hits += 1
                fault.num_left = None if fault.num_left is None else fault.num_left - 1
                return fault
        return None

    def holds(self, fault: Fault) -> bool:
        """Whether a fault is still in the script."""
        return any(fault is one for one in self._faults)


def rate_limited(seconds: float, *, is_global: bool = False) -> Reply:
    """429 as Discord itself says it: how long to wait stands in the header and, to the millisecond, in the body."""
    headers = {
        "Content-Type": _JSON,
        "Retry-After": str(math.ceil(seconds)),
        # Without it discord.py takes the answer for a ban by Cloudflare.
        "Via": "1.1 google",
        "X-RateLimit-Scope": "global" if is_global else "user",
    }
    if is_global:
        headers["X-RateLimit-Global"] = "true"
    body: dict[str, JsonValue] = {"message": "You are being rate limited.", "retry_after": seconds, "global": is_global}
    return Reply(429, _encoded(body), headers)


def banned(seconds: float = 600) -> Reply:
    """429 as Cloudflare says it after too many invalid requests: HTML, and only a header says how long."""
    return Reply(429, _PAGE, {"Content-Type": _HTML, "Retry-After": str(math.ceil(seconds))})


def html(status: int = 502) -> Reply:
    """A page of the proxy before Discord."""
    return Reply(status, _PAGE, {"Content-Type": _HTML})


def server_error(status: int = 503) -> Reply:
    """5xx as JSON."""
    return error(status, 0, f"{status}: internal network error")


def empty(status: int = 500) -> Reply:
    """An answer without a body and without a type."""
    return Reply(status)


def error(status: int, code: int, message: str = "") -> Reply:
    """Any answer with one of Discord's codes, such as `error(403, 50278)`."""
    sentence = message or _SENTENCES.get(code, f"{status}")
    return Reply(status, _encoded({"message": sentence, "code": code}), {"Content-Type": _JSON})


def _encoded(body: Mapping[str, JsonValue]) -> bytes:
    return json.dumps(body).encode()
