from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from headway.contract.errors import Code, NotLeader, ServiceUnavailable
from headway.contract.subjects import HOSTS
from headway.runtime.principal import Principal
from headway.testing.builders import a_host, a_record
from headway.v1.jobs_pb2 import JOB_STATE_QUEUED
from headway.v1.records_pb2 import HostRecord
from scheduler.events_publisher import EventsPublisher
from scheduler.host_table import Word
from scheduler.jobs_follower import JobsFollower
from scheduler.leader_lease import Candidate
from scheduler.leadership import Leadership
from scheduler.lease_keeper import LeaseKeeper
from scheduler.passes import PassLoop
from scheduler.presence import Presence
from scheduler.pulse import Pulse
from scheduler.reign import Reign
from scheduler.synchronize import Synchronizer
from tests.unit.scheduler.stage import LEASE_SECONDS, Stage, a_stage, running
from tests.unit.scheduler.test_synchronize import Spawn

LEADER_LEASE_SECONDS = 6.0
CALLER = Principal(key_id="k", user_id="u", scopes=frozenset({"host"}), projects=frozenset({"*"}))


class Process:
    """A scheduler as `wiring` builds it, without a server."""

    def __init__(self, stage: Stage, name: str) -> None:
        self.stage = stage
        self.served: list[bool] = []
        self.reigns: list[Reign] = []
        me = Candidate(holder_id=name, boot_id=name, address=f"{name}:7071", lease_seconds=LEADER_LEASE_SECONDS)
        self.keeper = LeaseKeeper(stage.bus, stage.clock, me)
        self.jobs = JobsFollower(stage.bus, stage.view, stage.clock)
        self.warm: tuple[Callable[[], Awaitable[object]], ...] = (self.jobs.catch_up,)
        self.leadership = Leadership(self.keeper, self.new_reign, tell_serving=self.serve)

    async def serve(self, is_serving: bool) -> None:
        self.served.append(is_serving)

    def new_reign(self) -> Reign:
        stage, leads = self.stage, self.keeper.is_held
        stage.view.forget_hosts()
        presence = Presence(
            stage.bus, stage.view, stage.signals, stage.clock, lease_seconds=LEASE_SECONDS, is_leading=leads
        )
        pulse = Pulse(stage.view, stage.clock, lease_seconds=LEASE_SECONDS)
        reign = Reign(
            warm=self.warm,
            presence=presence,
            passes=PassLoop(
                stage.view, stage.applier, stage.signals, pulse, stage.clock, on_host_lost=presence.host_lost
            ),
            pulse=pulse,
            events=EventsPublisher(stage.bus, stage.clock, clean=str, is_leading=leads),
            synchronizer=Synchronizer(
                stage.view, stage.signals, Spawn(), stage.clock, lease=timedelta(seconds=LEASE_SECONDS)
            ),
            clock=stage.clock,
        )
        self.reigns.append(reign)
        return reign

    @asynccontextmanager
    async def alive(self) -> AsyncIterator[None]:
        loops = (self.jobs.run, self.keeper.follow, self.leadership.run, self.leadership.stand_by)
        async with running(*loops):
            await self.stage.clock.advance(0.0)
            yield


async def a_process(name: str = "a", stage: Stage | None = None) -> Process:
    return Process(stage or await a_stage(), name)


async def test_one_alone_leads_at_once_and_answers() -> None:
    process = await a_process()
    async with process.alive():
        process.leadership.check()
        assert process.leadership.settled.is_set()
        assert process.served == [True]
        assert await process.leadership.synchronizer() is process.reigns[0].synchronizer
        await process.stage.clock.advance(10 * LEADER_LEASE_SECONDS)
        assert len(process.reigns) == 1


async def test_a_standby_refuses_and_names_the_leader() -> None:
    leader = await a_process("a")
    standby = await a_process("b", stage=Stage())
    standby.stage.bus, standby.stage.clock = leader.stage.bus, leader.stage.clock
    standby = Process(standby.stage, "b")
    async with leader.alive(), standby.alive():
        assert standby.leadership.settled.is_set()
        with pytest.raises(NotLeader, match="a:7071") as refused:
            standby.leadership.check()
        assert refused.value.metadata == {"leader": "a:7071"}
        assert refused.value.code is Code.UNAVAILABLE
        assert refused.value.retry_after is not None
        with pytest.raises(NotLeader):
            await standby.leadership.synchronizer()
        assert standby.reigns == []


async def test_nothing_is_answered_before_recovery_and_hosts_wait_for_it() -> None:
    process = await a_process()
    process.warm = (process.stage.recovered.wait,)
    async with process.alive():
        with pytest.raises(ServiceUnavailable):
            process.leadership.check()
        assert not process.leadership.settled.is_set()


async def test_who_loses_the_lease_hangs_up_and_begins_anew_when_it_has_it_again() -> None:
    """In the same process: a store that was away, or a freeze, ends no scheduler."""
    process = await a_process()
    stage = process.stage
    async with process.alive():
        stage.hear(Word(a_host(), {}, ()))
        await stage.clock.advance(1.0)
        assert await stage.bus.records(HOSTS, HostRecord).find("anton")
        stage.bus.go_away()
        await stage.clock.advance(LEADER_LEASE_SECONDS)
        with pytest.raises(NotLeader):
            process.leadership.check()
        assert process.reigns[0].is_over
        assert process.served == [True, False]
        with pytest.raises(NotLeader):
            await process.leadership.synchronizer()

        stage.bus.come_back()
        await stage.clock.advance(3.0)
        process.leadership.check()
        assert process.served == [True, False, True]
        assert len(process.reigns) == 2
        assert stage.view.hosts.find("hosts/anton") is not None, "recalled, and given a full lease"


async def test_who_does_not_lead_decides_nothing() -> None:
    process = await a_process()
    stage = process.stage
    async with process.alive():
        stage.bus.go_away()
        await stage.clock.advance(2 * LEADER_LEASE_SECONDS)
        stage.hear(Word(a_host(), {}, ()))
        process.leadership.retire()
        stage.bus.come_back()
        job_id = await stage.store(a_record())
        await stage.clock.advance(20.0)
        assert (await stage.job(job_id)).state == JOB_STATE_QUEUED


async def test_who_retires_gives_the_lease_back() -> None:
    process = await a_process()
    async with process.alive():
        process.leadership.retire()
        await process.stage.clock.advance(0.0)
        assert process.leadership.retired.is_set()
        assert process.reigns[0].is_over
        other = await a_process("b", stage=process.stage)
        async with running(other.keeper.follow, other.keeper.take):
            await process.stage.clock.advance(0.0)
            assert other.keeper.is_held()


async def test_a_standby_that_retires_has_nothing_to_give_back() -> None:
    leader = await a_process("a")
    standby = await a_process("b", stage=leader.stage)
    async with leader.alive(), running(standby.keeper.follow, standby.leadership.run):
        await leader.stage.clock.advance(0.0)
        standby.leadership.retire()
        assert standby.leadership.retired.is_set()
        leader.leadership.check()
