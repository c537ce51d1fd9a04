import pytest

from headway.testing.eventually import eventually


async def test_the_first_true_result_is_returned() -> None:
    results = iter([0, 0, 7])

    assert await eventually(lambda: next(results)) == 7


async def test_a_failed_assertion_is_tried_again() -> None:
    tries: list[int] = []

    async def check() -> bool:
        tries.append(1)
        assert len(tries) == 3
        return True

    assert await eventually(check)


async def test_the_last_failure_is_raised_when_the_time_is_over() -> None:
    def check() -> bool:
        raise AssertionError("the rule is broken")

    with pytest.raises(AssertionError, match="the rule is broken"):
        await eventually(check, timeout_seconds=0.02)
    with pytest.raises(AssertionError, match="the last result was 0"):
        await eventually(lambda: 0, timeout_seconds=0.02)


async def test_another_exception_is_not_swallowed() -> None:
    def check() -> bool:
        raise KeyError("a defect")

    with pytest.raises(KeyError):
        await eventually(check)
