"""The judge itself: each thing that it looks for is found when it is there."""

import asyncio

import pytest

from headway.contract.errors import Code, Violation
from headway.runtime.remote_error import RemoteError
from tests.abuse.harness import Row, judge, longest_echo

GOOD = RemoteError(
    Code.INVALID_ARGUMENT, "OUT_OF_RANGE", "epochs is out of range", violations=(Violation("epochs", "X", "no", "1-5"),)
)


def row(error: RemoteError, *, sent: str = "", max_seconds: float = 1.0) -> Row[None]:
    async def send(_: None) -> None:
        if max_seconds < 0.1:
            await asyncio.sleep(0.1)
        raise error

    return Row(id="X1", what="x", send=send, reason="OUT_OF_RANGE", field="epochs", sent=sent, max_seconds=max_seconds)


async def fine() -> None:
    return


async def test_a_good_answer_is_accepted() -> None:
    assert await judge(row(GOOD), None, good=fine) is GOOD


def changed(
    *,
    code: Code = GOOD.code,
    reason: str = GOOD.reason,
    message: str = GOOD.message,
    violations: tuple[Violation, ...] = GOOD.violations,
    metadata: dict[str, str] | None = None,
) -> RemoteError:
    return RemoteError(code, reason, message, violations=violations, metadata=metadata)


@pytest.mark.parametrize(
    "error",
    [
        changed(code=Code.INTERNAL),
        changed(reason="OTHER"),
        changed(violations=()),
        changed(violations=(Violation("batch_size", "X", "no", "1-5"),)),
        changed(violations=(Violation("epochs", "", "no", "1-5"),)),
        changed(violations=(Violation("epochs", "X", "no"),)),
        changed(message='Traceback: File "x.py"'),
        changed(message="cannot open /tmp/secret"),
        changed(message="red \x1b[31m"),
        changed(message="y" * 65),
        changed(metadata={"given": "y" * 65}),
    ],
    ids=str,
)
async def test_a_bad_answer_is_not(error: RemoteError) -> None:
    with pytest.raises(AssertionError):
        await judge(row(error, sent="y" * 100), None, good=fine)


async def test_a_late_answer_is_not() -> None:
    with pytest.raises(AssertionError, match="within"):
        await judge(row(GOOD, max_seconds=0.01), None, good=fine)


async def test_a_good_request_that_fails_afterwards_is_told() -> None:
    async def broken() -> None:
        raise RuntimeError("the service is down")

    with pytest.raises(RuntimeError):
        await judge(row(GOOD), None, good=broken)


@pytest.mark.parametrize(
    ("sent", "text", "expected"), [("abc", "xabcx", 3), ("abc", "ab c", 2), ("", "abc", 0), ("z", "abc", 0)]
)
def test_the_longest_echo_is_measured(sent: str, text: str, expected: int) -> None:
    assert longest_echo(sent, text) == expected
