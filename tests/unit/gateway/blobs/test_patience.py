import asyncio

import pytest

from gateway.blobs.patience import LEAST_BYTES, Patience
from headway.contract.errors import DeadlineExceeded, UploadSuperseded


async def test_silence_ends_the_call() -> None:
    with pytest.raises(DeadlineExceeded) as caught:
        async with Patience(0.02).limit():
            await asyncio.Event().wait()
    assert caught.value.retryable


async def test_a_trickle_is_no_better_than_silence() -> None:
    with pytest.raises(DeadlineExceeded):
        await _trickle(Patience(0.05))


async def _trickle(patience: Patience) -> None:
    async with patience.limit():
        while True:
            await asyncio.sleep(0.005)
            patience.heard(1)


async def test_a_slow_link_lives_on() -> None:
    patience = Patience(0.1)
    async with patience.limit():
        for _ in range(12):
            await asyncio.sleep(0.03)
            patience.heard(LEAST_BYTES // 2)


async def test_what_the_gateway_takes_long_over_is_not_held_against_the_caller() -> None:
    patience = Patience(0.1)
    async with patience.limit():
        for _ in range(5):
            await asyncio.sleep(0.04)
            patience.renew()


async def test_a_call_can_be_ended_for_another() -> None:
    patience = Patience(60)
    asyncio.get_running_loop().call_later(0.01, patience.end_now)
    with pytest.raises(UploadSuperseded):
        async with patience.limit():
            await asyncio.Event().wait()


async def test_ending_a_call_that_is_over_is_harmless() -> None:
    patience = Patience(60)
    async with patience.limit():
        pass
    patience.end_now()


async def test_a_timeout_of_something_else_is_not_the_callers_fault() -> None:
    with pytest.raises(ZeroDivisionError):
        async with Patience(60).limit():
            raise ZeroDivisionError
