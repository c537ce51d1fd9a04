"""How every row of the abuse corpus is judged: the right code, reason, field and limit, quickly, and nothing more.

A row is data: what is sent, and what must be heard. `judge` sends it, looks at the answer, and then makes sure that a
good request right after it still succeeds. Rows of any service can use it:

    ROWS = (Row(id="B5", what="epochs 0", send=..., code=Code.INVALID_ARGUMENT, reason="OUT_OF_RANGE", field="..."),)

    @pytest.mark.parametrize("row", ROWS, ids=str)
    async def test_row(target, row):
        await judge(row, target, good=...)
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import pytest

from headway.contract.errors import ECHO_LIMIT_CHARACTERS, Code
from headway.runtime.remote_error import RemoteError, answer

T = TypeVar("T")

LEAKS = ("Traceback", 'File "', '.py"', "site-packages", "object at 0x", "<class ", "Exception", "/home/", "/tmp/")
"""What an answer never holds: signs of a stack trace or of where something lies on the server."""


@dataclass(frozen=True, kw_only=True)
class Row(Generic[T]):
    """One hostile or confused request.

    Attributes:
        id: number in the corpus of RELIABILITY.md, such as `B5`.
        what: what is wrong with it.
        send: sends it to the target.
        code: that must be answered.
        reason: that must be answered; the code's own name where the library answers before headway can.
        field: path that one of the violations must have; empty where no field is at fault.
        is_bounded: whether the violation must say what is allowed.
        sent: the caller's text; at most 64 of its characters may come back in a row.
        max_seconds: the answer must come within this.
    """

    id: str
    what: str
    send: Callable[[T], Awaitable[object]]
    code: Code = Code.INVALID_ARGUMENT
    reason: str
    field: str = ""
    is_bounded: bool = True
    sent: str = ""
    max_seconds: float = 1.0

    def __str__(self) -> str:
        """Its name among the tests."""
        return f"{self.id} {self.what}"


async def judge(row: Row[T], target: T, *, good: Callable[[], Awaitable[object]]) -> RemoteError:
    """Send a row and judge the answer; returns it for further looks.

    Args:
        row: what to send.
        target: who gets it.
        good: a request that must still succeed afterwards.
    """
    started = time.perf_counter()
    with pytest.raises(RemoteError) as caught:
        await answer(row.send(target))
    seconds = time.perf_counter() - started
    error = caught.value
    assert (error.code, error.reason) == (row.code, row.reason), f"{row}: {error.message} {error.__cause__!r}"
    assert seconds < row.max_seconds, f"{row}: the answer should come within {row.max_seconds} s, not {seconds:.2f} s"
    _check_field(row, error)
    _check_text(row, error)
    await good()
    return error


def _check_field(row: Row[T], error: RemoteError) -> None:
    if not row.field:
        return
    named = [violation for violation in error.violations if violation.field == row.field]
    assert named, f"{row}: {row.field} should be named, not {[violation.field for violation in error.violations]}"
    assert named[0].reason, f"{row}: the violation should have a reason of its own"
    assert named[0].allowed or not row.is_bounded, f"{row}: the answer should say what is allowed"


def _check_text(row: Row[T], error: RemoteError) -> None:
    text = "\n".join([error.message, str(error.metadata), *map(str, error.violations)])
    leaked = [leak for leak in LEAKS if leak in text and leak not in row.sent]
    assert not leaked, f"{row}: the answer leaks {leaked}: {text}"
    for form in (row.sent, row.sent.encode("unicode_escape").decode()):
        assert longest_echo(form, text) <= ECHO_LIMIT_CHARACTERS, f"{row}: the answer repeats too much of the request"
    assert text.replace("\n", "").isprintable(), f"{row}: the answer holds control characters"


def longest_echo(sent: str, text: str) -> int:
    """How many characters in a row of what was sent come back; counted up to one over the limit."""
    longest = 0
    for start in range(len(sent)):
        while longest <= ECHO_LIMIT_CHARACTERS and sent[start : start + longest + 1] in text:
            if start + longest + 1 > len(sent):
                return longest
            longest += 1
    return longest
