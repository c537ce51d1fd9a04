from datetime import timedelta

import pytest

from headway.contract.host_facts import facts_of
from headway.contract.subjects import EVENTS, HOSTS
from headway.testing.builders import A_MOMENT, a_claimed_record, a_host, a_record, an_infer_spec
from headway.v1.hosts_pb2 import HOST_STATE_DRAINING, HOST_STATE_LOST, HOST_STATE_UP, Host, HostState
from headway.v1.records_pb2 import HostRecord
from scheduler.cluster_view import Moment
from scheduler.host_table import LiveHost, Word
from scheduler.presence import LOST_KEPT, Presence, describe, events_between
from tests.unit.scheduler.stage import LEASE_SECONDS, Stage, a_stage, running


def described(boot_id: str = "boot-1", state: "HostState.ValueType" = HOST_STATE_UP, num_running: int = 0) -> Host:
    host = a_host(boot_id=boot_id)
    host.state = state
    host.num_running = num_running
    return host


@pytest.mark.parametrize(
    ("before", "after", "events"),
    [
        (None, described(), ("joined",)),
        (described(), described(), ()),
        (described(), described(num_running=1), ()),
        (described("boot-1"), described("boot-2"), ("joined",)),
        (described(state=HOST_STATE_LOST), described(), ("joined",)),
        (described(), described(state=HOST_STATE_LOST), ("lost",)),
        (described(num_running=1), described(state=HOST_STATE_DRAINING, num_running=1), ()),
        (described(state=HOST_STATE_DRAINING, num_running=1), described(state=HOST_STATE_DRAINING), ("drained",)),
        (described(state=HOST_STATE_DRAINING), described(state=HOST_STATE_DRAINING), ()),
        (None, described(state=HOST_STATE_DRAINING), ("joined", "drained")),
        (
            described("boot-1", HOST_STATE_DRAINING),
            described("boot-2", HOST_STATE_DRAINING),
            ("joined", "drained"),
        ),
    ],
)
def test_what_happened_follows_from_two_descriptions(before: Host | None, after: Host, events: tuple[str, ...]) -> None:
    assert events_between(before, after) == events


def test_a_description_is_the_host_s_words_and_ours() -> None:
    later = A_MOMENT + timedelta(minutes=1)
    live = LiveHost(a_host(), facts_of(a_host()), 0.0, later, A_MOMENT)
    host = describe(live, HOST_STATE_UP, 2)

    assert (host.name, host.num_slots, host.state, host.num_running) == ("hosts/anton", 2, HOST_STATE_UP, 2)
    assert (host.join_time.ToSeconds(), host.heartbeat_time.ToSeconds()) == (
        int(A_MOMENT.timestamp()),
        int(later.timestamp()),
    )


class Scene:
    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.presence = self.restarted()
        self.hosts = stage.bus.records(HOSTS, HostRecord)

    def restarted(self) -> Presence:
        stage = self.stage
        self.presence = Presence(
            stage.bus,
            stage.view,
            stage.signals,
            stage.clock,
            lease_seconds=LEASE_SECONDS,
            is_leading=lambda: stage.is_leading,
        )
        return self.presence

    async def run(self) -> None:
        await self.presence.run(self.stage.recovered)

    async def record(self) -> Host | None:
        stored = await self.hosts.find("anton")
        return stored.value.host if stored is not None else None

    async def events(self) -> list[str]:
        return [message.subject.split(".")[2] for message in await self.stage.messages(EVENTS)]


async def a_scene() -> Scene:
    stage = await a_stage()
    stage.recovered.set()
    return Scene(stage)


async def test_a_host_that_joins_is_written_and_told() -> None:
    scene = await a_scene()
    async with running(scene.run):
        scene.stage.hear(Word(a_host(), {}, ()))
        await scene.stage.clock.advance(0.0)

        host = await scene.record()
        assert host is not None
        assert host.state == HOST_STATE_UP
        assert await scene.events() == ["joined"]


async def test_who_leads_no_longer_tells_of_no_host() -> None:
    scene = await a_scene()
    async with running(scene.run):
        scene.stage.is_leading = False
        scene.stage.hear(Word(a_host(), {}, ()))
        await scene.stage.clock.advance(2.0)
        assert await scene.record() is None
        assert await scene.events() == []

        scene.stage.is_leading = True
        await scene.stage.clock.advance(2.0)
        assert await scene.events() == ["joined"]


async def test_changes_are_written_and_beats_are_not() -> None:
    scene = await a_scene()
    stage = scene.stage
    async with running(scene.run):
        voice = stage.hear(Word(a_host(), {}, ()))
        await stage.clock.advance(1.0)
        written = await scene.hosts.get("anton")

        stage.hear(Word(a_host(), {}, ()), voice)
        await stage.clock.advance(1.0)
        assert (await scene.hosts.get("anton")).revision == written.revision

        stage.view.put_job("j", 1, a_claimed_record(), stage.now())
        await stage.clock.advance(1.0)
        host = await scene.record()
        assert host is not None
        assert host.num_running == 1


async def test_a_live_host_is_written_again_before_it_is_forgotten() -> None:
    scene = await a_scene()
    stage = scene.stage
    async with running(scene.run):
        voice = stage.hear(Word(a_host(), {}, ()))
        for _ in range(100):
            await stage.clock.advance(LEASE_SECONDS / 2)
            stage.hear(Word(a_host(), {}, ()), voice)

        host = await scene.record()
        assert host is not None
        assert (stage.clock.now() - host.heartbeat_time.ToDatetime(tzinfo=A_MOMENT.tzinfo)).total_seconds() < 30


async def test_a_lost_host_is_told_and_kept_for_a_while() -> None:
    scene = await a_scene()
    stage = scene.stage
    async with running(scene.run):
        stage.hear(Word(a_host(), {}, ()))
        await stage.clock.advance(1.0)
        (lost,) = stage.view.lose_silent_hosts(_later(stage))
        scene.presence.host_lost(lost)
        await stage.clock.advance(1.0)

        host = await scene.record()
        assert host is not None
        assert host.state == HOST_STATE_LOST
        assert await scene.events() == ["joined", "lost"]

        await stage.clock.advance(LOST_KEPT.total_seconds() + 1)
        assert await scene.record() is None


async def test_a_host_that_was_lost_and_comes_back_under_the_same_boot_is_told_of_again() -> None:
    """A laptop that slept: with the id of the first time the server would drop the second event as a repeat."""
    scene = await a_scene()
    stage = scene.stage
    async with running(scene.run):
        stage.hear(Word(a_host(), {}, ()))
        await stage.clock.advance(1.0)
        (lost,) = stage.view.lose_silent_hosts(_later(stage))
        scene.presence.host_lost(lost)
        await stage.clock.advance(1.0)
        stage.hear(Word(a_host(), {}, ()))
        await stage.clock.advance(LEASE_SECONDS)

        assert await scene.events() == ["joined", "lost", "joined"]


def _later(stage: Stage) -> Moment:
    now = stage.now()
    return Moment(now.time, now.seconds + LEASE_SECONDS)


async def test_a_host_that_drained_and_hung_up_has_left_and_is_not_lost() -> None:
    scene = await a_scene()
    stage = scene.stage
    async with running(scene.run):
        voice = stage.hear(Word(a_host(draining=True), {}, ()))
        await stage.clock.advance(1.0)
        assert await scene.events() == ["joined", "drained"]

        stage.view.hang_up("hosts/anton", voice)
        await stage.clock.advance(1.0)
        assert await scene.record() is None
        assert stage.view.hosts.all() == ()


async def test_after_a_restart_the_same_boot_has_not_joined_again(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = await a_scene()
    stage = scene.stage
    async with running(scene.run):
        voice = stage.hear(Word(a_host(), {}, ()))
        await stage.clock.advance(1.0)
    (before,) = stage.view.hosts.all()
    stage.view.hosts.remove("hosts/anton")

    # The server would drop a repetition for some minutes; none must be sent at all.
    monkeypatch.setattr(stage.bus, "publish", _never)
    scene.restarted()
    async with running(scene.run):
        await stage.clock.advance(0.0)
        (expected,) = stage.view.hosts.all()
        assert (expected.host, expected.join_time) == (a_host(), before.join_time)
        assert not expected.view.connected

        stage.hear(Word(a_host(), {}, ()), voice)
        await stage.clock.advance(60.0)
        assert await scene.events() == ["joined"]


async def _never(subject: str, *_: object, **__: object) -> None:
    raise AssertionError(f"published to {subject}")


async def test_hosts_that_were_lost_or_cannot_be_read_are_not_expected() -> None:
    scene = await a_scene()
    stage = scene.stage
    await scene.hosts.put("anton", HostRecord(host=described(state=HOST_STATE_LOST)))
    await stage.bus.publish(f"{HOSTS.prefix}berta", b"\xff\xff")
    async with running(scene.run):
        await stage.clock.advance(1.0)

        assert scene.presence.caught_up.is_set()
        assert stage.view.hosts.all() == ()


async def test_nothing_is_written_before_recovery() -> None:
    scene = await a_scene()
    scene.stage.recovered.clear()
    async with running(scene.run):
        scene.stage.hear(Word(a_host(), {}, ()))
        await scene.stage.clock.advance(1.0)

        assert await scene.record() is None


async def test_a_store_that_was_away_is_written_later() -> None:
    scene = await a_scene()
    stage = scene.stage
    async with running(scene.run):
        await stage.clock.advance(1.0)
        stage.bus.go_away()
        stage.hear(Word(a_host(), {}, ()))
        await stage.clock.advance(1.0)
        stage.bus.come_back()
        await stage.clock.advance(3.0)

        assert await scene.record() is not None
        assert await scene.events() == ["joined"]


async def test_a_prediction_is_not_among_what_a_host_runs() -> None:
    scene = await a_scene()
    async with running(scene.run):
        scene.stage.hear(Word(a_host(), {}, ()))
        await scene.stage.store(a_claimed_record(a_record(an_infer_spec())))
        await scene.stage.store(a_claimed_record())
        await scene.stage.clock.advance(1.0)

        host = await scene.record()
        assert host is not None
        assert host.num_running == 1
