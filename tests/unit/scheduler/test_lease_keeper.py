import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from headway.contract.subjects import LEASES
from headway.v1.records_pb2 import LeaseRecord
from scheduler.leader_lease import KEY, Candidate
from scheduler.lease_keeper import LeaseKeeper
from tests.unit.scheduler.stage import Stage, a_stage, running

LEASE_SECONDS = 6.0


class Life:
    """A process that only takes, keeps and loses the lease."""

    def __init__(self, stage: Stage, name: str, boot: str = "1") -> None:
        me = Candidate(holder_id=name, boot_id=name + boot, address=f"{name}:1", lease_seconds=LEASE_SECONDS)
        self.keeper = LeaseKeeper(stage.bus, stage.clock, me)
        self.num_reigns = 0

    async def run(self) -> None:
        while True:
            await self.keeper.take()
            self.num_reigns += 1
            async with asyncio.TaskGroup() as group:
                renewing = group.create_task(self.keeper.renew())
                await self.keeper.until_lost()
                renewing.cancel()
            if self.keeper._is_retiring:
                await self.keeper.give_back()

    def leads(self) -> bool:
        return self.keeper.is_held()


@asynccontextmanager
async def living(*lives: Life) -> AsyncIterator[None]:
    async with running(*(life.keeper.follow for life in lives), *(life.run for life in lives)):
        yield


async def lease_of(stage: Stage) -> LeaseRecord:
    return (await stage.bus.records(LEASES, LeaseRecord).get(KEY)).value


async def test_one_takes_it_and_renews_it_and_the_other_stands_by() -> None:
    stage = await a_stage()
    first, second = Life(stage, "a"), Life(stage, "b")
    async with living(first):
        await stage.clock.advance(0.1)
        async with living(second):
            for _ in range(40):
                await stage.clock.advance(LEASE_SECONDS / 4)
                assert (first.leads(), second.leads()) == (True, False)
            assert second.keeper.stood_by.is_set()
            assert not first.keeper.stood_by.is_set()
            assert second.keeper.leader_address == "a:1"
            assert (first.num_reigns, first.keeper.reign) == (1, 1)


async def test_when_the_leader_dies_the_standby_waits_until_its_lease_is_over_and_no_longer() -> None:
    """F14."""
    stage = await a_stage()
    first, second = Life(stage, "a"), Life(stage, "b")
    dying = living(first)
    await dying.__aenter__()
    await stage.clock.advance(0.1)
    async with living(second):
        await stage.clock.advance(LEASE_SECONDS / 2)
        await dying.__aexit__(None, None, None)
        # It was renewed a third of the lease after it was taken, which is a sixth of it ago.
        await stage.clock.advance(LEASE_SECONDS * 5 / 6 - 0.2)
        assert not second.leads()
        await stage.clock.advance(0.3)
        assert second.leads()
        assert (await lease_of(stage)).reign == 2


async def test_an_answer_that_is_lost_costs_no_lease() -> None:
    stage = await a_stage()
    life = Life(stage, "a")
    stage.bus.lose_answers(1)
    async with living(life):
        for _ in range(20):
            await stage.clock.advance(LEASE_SECONDS / 4)
            stage.bus.lose_answers(1)
            assert life.leads()
    assert life.num_reigns == 1


async def test_who_starts_again_on_the_same_folder_leads_at_once() -> None:
    stage = await a_stage()
    async with living(Life(stage, "a", boot="1")):
        await stage.clock.advance(1.0)
    again = Life(stage, "a", boot="2")
    async with living(again):
        await stage.clock.advance(0.0)
        assert again.leads()
        assert not again.keeper.stood_by.is_set()
        assert (await lease_of(stage)).reign == 2


async def test_who_starts_elsewhere_waits_for_a_whole_lease() -> None:
    stage = await a_stage()
    async with living(Life(stage, "a")):
        await stage.clock.advance(1.0)
    other = Life(stage, "b")
    async with living(other):
        await stage.clock.advance(LEASE_SECONDS - 0.1)
        assert not other.leads()
        await stage.clock.advance(0.2)
        assert other.leads()


async def test_a_leader_whose_store_is_away_steps_down_before_its_lease_is_over_and_comes_back() -> None:
    """Also when it is alone: nothing could be decided meanwhile."""
    stage = await a_stage()
    life = Life(stage, "a")
    async with living(life):
        await stage.clock.advance(0.1)
        stage.bus.go_away()
        await stage.clock.advance(LEASE_SECONDS * 0.9)
        assert not life.leads()
        await stage.clock.advance(10 * LEASE_SECONDS)
        stage.bus.come_back()
        await stage.clock.advance(1.0)
        assert life.leads()
        assert (await lease_of(stage)).reign == 1, "nobody else has led meanwhile"
        assert life.num_reigns == 2


async def test_a_lease_that_is_given_back_is_taken_at_once() -> None:
    stage = await a_stage()
    first, second = Life(stage, "a"), Life(stage, "b")
    async with living(first):
        await stage.clock.advance(0.1)
        async with living(second):
            await stage.clock.advance(0.1)
            first.keeper.retire()
            await stage.clock.advance(0.0)
            assert (first.leads(), second.leads()) == (False, True)
            await stage.clock.advance(10 * LEASE_SECONDS)
            assert (first.num_reigns, second.num_reigns) == (1, 1), "who has retired never leads again"


async def test_who_never_led_gives_nothing_back() -> None:
    stage = await a_stage()
    first, second = Life(stage, "a"), Life(stage, "b")
    async with living(first):
        await stage.clock.advance(0.1)
        async with living(second):
            await stage.clock.advance(0.1)
            second.keeper.retire()
            await second.keeper.give_back()
            await stage.clock.advance(2 * LEASE_SECONDS)
            assert first.leads()
            assert (await lease_of(stage)).boot_id == "a1"


async def test_what_cannot_be_read_is_nobody_s() -> None:
    stage = await a_stage()
    await stage.bus.publish("$KV.leases.scheduler", b"\xff\xff\xff")
    await stage.bus.publish("$KV.leases.another", b"\xff")
    life = Life(stage, "a")
    async with living(life):
        await stage.clock.advance(0.0)
        assert life.leads()


async def test_of_many_that_want_it_at_once_one_gets_it() -> None:
    stage = await a_stage()
    lives = [Life(stage, name) for name in "abcdefgh"]
    async with living(*lives):
        for _ in range(20):
            await stage.clock.advance(LEASE_SECONDS / 5)
            assert sum(life.leads() for life in lives) == 1
    assert sum(life.num_reigns for life in lives) == 1


async def test_a_renewal_that_a_freeze_held_up_does_not_take_the_lease_from_a_successor() -> None:
    """F15: the news of the successor has come, and the loop that renews runs before the one that steps down."""
    stage = await a_stage()
    first, second = Life(stage, "a"), Life(stage, "b")
    async with running(first.keeper.follow, first.keeper.take):
        await stage.clock.advance(0.0)
    successor = await stage.bus.records(LEASES, LeaseRecord).get(KEY)
    successor.value.CopyFrom(second.keeper._lease.next_record())
    revision = await stage.bus.records(LEASES, LeaseRecord).update(KEY, successor.value, successor.revision)
    async with running(first.keeper.follow, first.keeper.renew):
        await stage.clock.advance(3 * LEASE_SECONDS)
    assert (await stage.bus.records(LEASES, LeaseRecord).get(KEY)).revision == revision
    assert not first.leads()
