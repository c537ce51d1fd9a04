import asyncio
from collections.abc import AsyncIterator

import pytest

from headway.testing.eventually import eventually
from tests.unit.trainer_host.doubles import HELLO, FakeChild, HastyClock
from trainer_host.children import ChildPool


class Nursery:
    """Makes children, and remembers them; the first ones may be told to die at once."""

    def __init__(self) -> None:
        self.children: list[FakeChild] = []
        self.num_stillborn = 0

    def __call__(self) -> FakeChild:
        child = FakeChild(dies_at_start=len(self.children) < self.num_stillborn)
        self.children.append(child)
        return child


@pytest.fixture
def nursery() -> Nursery:
    return Nursery()


@pytest.fixture
def news() -> asyncio.Event:
    return asyncio.Event()


@pytest.fixture
async def pool(nursery: Nursery, news: asyncio.Event) -> AsyncIterator[ChildPool]:
    made = ChildPool(nursery, HastyClock(), news=news)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(made.run())
        yield made
        running.cancel()


async def test_one_child_is_warm_before_it_is_wanted(pool: ChildPool, nursery: Nursery, news: asyncio.Event) -> None:
    await eventually(pool.known.is_set)
    assert pool.facts == HELLO.model_copy(update={"pid": 0})
    assert news.is_set()
    async with asyncio.timeout(0.1):
        assert await pool.take() is nursery.children[0]


async def test_the_next_child_is_made_only_when_asked_for(pool: ChildPool, nursery: Nursery) -> None:
    await pool.take()
    await asyncio.sleep(0.05)
    assert len(nursery.children) == 1, "its making would delay the first line of the attempt that took the first"
    pool.replenish()
    pool.replenish()
    await eventually(lambda: len(nursery.children) == 2)
    await asyncio.sleep(0.05)
    assert len(nursery.children) == 2


async def test_who_finds_none_warm_gets_one_made(pool: ChildPool, nursery: Nursery) -> None:
    async with asyncio.timeout(2), asyncio.TaskGroup() as group:
        takers = [group.create_task(pool.take()) for _ in range(4)]
    assert len({id(taker.result()) for taker in takers}) == 4


async def test_a_warm_child_that_dies_is_replaced(pool: ChildPool, nursery: Nursery) -> None:
    await eventually(pool.known.is_set)
    nursery.children[0].die(-11)
    await eventually(lambda: len(nursery.children) == 2)
    assert await pool.take() is nursery.children[1]
    assert nursery.children[0].is_closed


async def test_children_that_do_not_start_are_tried_again() -> None:
    nursery = Nursery()
    nursery.num_stillborn = 3
    pool = ChildPool(nursery, HastyClock(), news=asyncio.Event())
    async with asyncio.TaskGroup() as group:
        running = group.create_task(pool.run())
        assert await pool.take() is nursery.children[3]
        running.cancel()
    assert all(dead.is_closed for dead in nursery.children[:3])
    assert pool.facts.torch_version == HELLO.torch_version


async def test_a_host_whose_children_never_start_says_why() -> None:
    nursery = Nursery()
    nursery.num_stillborn = 1000
    pool = ChildPool(nursery, HastyClock(), news=asyncio.Event())
    async with asyncio.TaskGroup() as group:
        running = group.create_task(pool.run())
        await eventually(pool.known.is_set)
        assert "do not start" in pool.facts.torch_problem
        running.cancel()


async def test_no_child_outlives_the_pool() -> None:
    nursery = Nursery()
    pool = ChildPool(nursery, HastyClock(), news=asyncio.Event())
    async with asyncio.TaskGroup() as group:
        running = group.create_task(pool.run())
        await eventually(pool.known.is_set)
        running.cancel()
    assert nursery.children[0].is_closed


async def test_a_child_that_died_after_it_was_taken_concerns_the_pool_no_more(
    pool: ChildPool, nursery: Nursery
) -> None:
    child = await pool.take()
    child.kill()
    await asyncio.sleep(0.05)
    assert len(nursery.children) == 1
