import asyncio

import pytest

from trainer_host.request_stream import RequestStream, StreamOver


async def test_what_is_sent_comes_out_in_order_until_the_end() -> None:
    stream: RequestStream[int] = RequestStream()

    async def feed() -> None:
        for number in range(5):
            await stream.send(number)
        await stream.finish()

    async with asyncio.TaskGroup() as group:
        group.create_task(feed())
        assert [request async for request in stream.requests()] == [0, 1, 2, 3, 4]


async def test_a_sender_is_held_back_by_a_slow_call() -> None:
    stream: RequestStream[int] = RequestStream()
    await stream.send(1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await stream.send(2)


async def test_a_sender_that_waits_hears_that_the_call_is_over() -> None:
    stream: RequestStream[int] = RequestStream()
    await stream.send(1)
    asyncio.get_running_loop().call_later(0.01, stream.close)
    with pytest.raises(StreamOver):
        await stream.send(2)
    with pytest.raises(StreamOver):
        await stream.finish()


async def test_a_request_that_was_taken_counts_although_the_call_ends_with_it() -> None:
    """The end of the requests is what makes a call answer; it is no failure that both come in one turn of the loop."""
    stream: RequestStream[int] = RequestStream()

    async def answer_at_the_end() -> None:
        async for _ in stream.requests():
            """Taken."""
        stream.close()

    await stream.send(1)
    async with asyncio.TaskGroup() as group:
        group.create_task(answer_at_the_end())
        await stream.finish()


async def test_the_iterator_of_a_call_that_is_over_ends() -> None:
    stream: RequestStream[int] = RequestStream()
    await stream.send(1)
    stream.close()
    stream.close()
    async with asyncio.timeout(1):
        assert [request async for request in stream.requests()] == []
