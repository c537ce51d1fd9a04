"""Tells the others which hosts there are: the bucket `hosts`, and the events joined, drained and lost."""

import asyncio
import math
from collections import deque
from collections.abc import Callable
from datetime import timedelta

from google.protobuf.message import DecodeError

from headway.contract.errors import HeadwayError, NotLeader
from headway.contract.events import host_event
from headway.contract.ids import HostName
from headway.contract.subjects import HOSTS
from headway.contract.times import moment, timestamp
from headway.runtime.bus import Bus
from headway.runtime.clock import Clock
from headway.runtime.feeds import LAST_PER_SUBJECT, Message, stored
from headway.runtime.logs import get_logger
from headway.v1.hosts_pb2 import HOST_STATE_DRAINING, HOST_STATE_LOST, HOST_STATE_UP, Host, HostState
from headway.v1.records_pb2 import HostRecord
from scheduler.cluster_view import ClusterView, Moment
from scheduler.host_table import LiveHost
from scheduler.signals import Signals

_log = get_logger(__name__)
LOST_KEPT = timedelta(hours=1)
"""How long a lost host stays in lists."""
_LIVE_KEPT = timedelta(minutes=10)
"""How long hosts are remembered while no scheduler runs; at least ten leases."""
_ROUND_SECONDS = 0.25
"""Rounds are at least this far apart, so that a burst of attempts costs a few writes and not hundreds."""
_RETRY_SECONDS = 1.0


class Presence:
    """Writes what the view knows of hosts."""

    def __init__(
        self,
        bus: Bus,
        view: ClusterView,
        signals: Signals,
        clock: Clock,
        *,
        lease_seconds: float,
        is_leading: Callable[[], bool],
    ) -> None:
        """Name the parts.

        Args:
            bus: for the bucket and the events.
            view: what is known of hosts.
            signals: wakes the writing.
            clock: for times and waits.
            lease_seconds: of hosts.
            is_leading: asked right before each write: the bucket has one writer.
        """
        self.caught_up = asyncio.Event()
        """Set once the hosts that were known before the start are expected."""
        self._bus = bus
        self._records = bus.records(HOSTS, HostRecord)
        self._view = view
        self._signals = signals
        self._clock = clock
        self._is_leading = is_leading
        self._refresh_seconds = max(1.0, lease_seconds)
        self._ttl = max(_LIVE_KEPT, timedelta(seconds=math.ceil(10 * lease_seconds)))
        self._written: dict[str, Host] = {}
        self._written_at: dict[str, float] = {}
        self._lost: deque[Host] = deque()

    def host_lost(self, host: LiveHost) -> None:
        """A host's lease has ended."""
        self._lost.append(describe(host, HOST_STATE_LOST, 0))
        self._signals.presence_wanted.set()

    async def run(self, recovered: asyncio.Event) -> None:
        """Recall the hosts from before, then write for ever."""
        await self._recall()
        await recovered.wait()
        wait_seconds = 0.0
        while True:
            await self._clock.wait_for_event(self._signals.presence_wanted, wait_seconds)
            self._signals.presence_wanted.clear()
            try:
                await self.write_once()
                wait_seconds = self._refresh_seconds
            except HeadwayError as error:
                _log.warning("hosts not written", why=error.message)
                wait_seconds = _RETRY_SECONDS
            await self._clock.sleep(_ROUND_SECONDS)

    async def write_once(self) -> None:
        """One round: every host that is lost, new, changed or due."""
        while self._lost:
            await self._write(self._lost[0], LOST_KEPT)
            self._lost.popleft()
        running: dict[str, int] = {}
        for job in self._view.jobs.held:
            # A prediction takes no slot, and is over before anybody could read of it.
            if not job.demand.is_inference:
                running[job.host] = running.get(job.host, 0) + 1
        for live in self._view.hosts.all():
            num_running = running.get(live.host.name, 0)
            state = HOST_STATE_DRAINING if live.facts.draining else HOST_STATE_UP
            described = describe(live, state, num_running)
            if self._is_due(described):
                await self._write(described, self._ttl)
            if live.facts.draining and live.voice is None and num_running == 0:
                await self._forget(live.host.name)

    def _is_due(self, host: Host) -> bool:
        before = self._written.get(host.name)
        age_seconds = self._clock.monotonic() - self._written_at.get(host.name, -math.inf)
        return before is None or age_seconds >= self._refresh_seconds or _is_news(before, host)

    async def _write(self, host: Host, ttl: timedelta) -> None:
        before = self._written.get(host.name)
        if not self._is_leading():
            raise NotLeader("another scheduler may lead by now, and tells of hosts")
        for event in events_between(before, host):
            outward = host_event(event, host, _MESSAGES[event], now=self._clock.now())
            await self._bus.publish(
                outward.subject, outward.body, message_id=outward.message_id, headers=outward.headers
            )
            _log.info("host " + event, host=host.name, boot=host.boot_id)
        await self._records.put(HostName.parse(host.name).host_id, HostRecord(host=host), ttl=ttl)
        self._written[host.name] = host
        self._written_at[host.name] = self._clock.monotonic()
        if host.state == HOST_STATE_LOST:
            del self._written[host.name], self._written_at[host.name]

    async def _forget(self, name: str) -> None:
        """It drained and hung up: it has left, and is not lost."""
        self._view.hosts.remove(name)
        await self._records.delete(HostName.parse(name).host_id)
        self._written.pop(name, None)
        self._written_at.pop(name, None)

    async def _recall(self) -> None:
        """Hosts that were up before the start count as up for a full lease, so that no job falls back meanwhile."""
        async with self._bus.feed(HOSTS, start=LAST_PER_SUBJECT) as feed:
            async for message in stored(feed):
                self._take_in(message)
        self.caught_up.set()

    def _take_in(self, message: Message) -> None:
        try:
            host = HostRecord.FromString(message.data).host
        except DecodeError:
            _log.error("host record cannot be read", key=message.key)
            return
        if message.is_deleted or host.state not in (HOST_STATE_UP, HOST_STATE_DRAINING):
            return
        self._written[host.name] = host
        own_words = Host()
        own_words.CopyFrom(host)
        for ours in ("state", "num_running", "join_time", "heartbeat_time"):
            own_words.ClearField(ours)
        self._view.expect_host(
            own_words,
            join_time=moment(host.join_time),
            heard_time=moment(host.heartbeat_time),
            now=Moment(self._clock.now(), self._clock.monotonic()),
        )


_MESSAGES = {
    "joined": "the host takes work",
    "drained": "the host takes no new work and has finished what it had",
    "lost": "the host was not heard of for longer than its lease",
}


def describe(live: LiveHost, state: "HostState.ValueType", num_running: int) -> Host:
    """A host as others see it: its own words, and ours."""
    host = Host(
        state=state,
        num_running=num_running,
        join_time=timestamp(live.join_time),
        heartbeat_time=timestamp(live.heard_time),
    )
    host.MergeFrom(live.host)
    return host


def events_between(before: Host | None, after: Host) -> tuple[str, ...]:
    """The events that lead from one description of a host to the next."""
    is_new_boot = before is None or before.boot_id != after.boot_id or before.state == HOST_STATE_LOST
    if after.state == HOST_STATE_LOST:
        return ("lost",)
    joined = ("joined",) if is_new_boot else ()
    was_drained = not is_new_boot and before is not None and _is_drained(before)
    return (*joined, "drained") if _is_drained(after) and not was_drained else joined


def _is_drained(host: Host) -> bool:
    return host.state == HOST_STATE_DRAINING and host.num_running == 0


def _is_news(before: Host, after: Host) -> bool:
    """Whether anything but the time of the last heartbeat differs."""
    aligned = Host()
    aligned.CopyFrom(before)
    aligned.heartbeat_time.CopyFrom(after.heartbeat_time)
    return aligned != after
