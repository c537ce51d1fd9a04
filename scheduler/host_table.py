"""The trainer hosts as they last described themselves, who speaks for each, and since when they are silent.

No I/O and no clock: times are arguments, in monotonic seconds.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from headway.contract.errors import HostIdInUse, echo
from headway.contract.host_facts import HostFacts, facts_of
from headway.v1.hosts_pb2 import Host
from scheduler.snapshot import AttemptEnd, AttemptKey, HostView


class Voice:
    """One stream of one host; compared by identity."""


@dataclass(slots=True)
class LiveHost:
    """A host that has not been silent for longer than its lease.

    Attributes:
        host: as it described itself, without our own fields.
        facts: the same for decisions.
        heard_at: when it was last heard of, monotonic seconds.
        heard_time: the same, wall time, for people.
        join_time: when this boot was first heard of.
        voice: its open stream; None while it has none.
        reported: every attempt of its newest message, with the job's name as it wrote it.
        ended: those of them that have ended.
        forgotten: attempts that an earlier boot held and this one does not know.
    """

    host: Host
    facts: HostFacts
    heard_at: float
    heard_time: datetime
    join_time: datetime
    voice: Voice | None = None
    reported: Mapping[AttemptKey, str] = field(default_factory=dict)
    ended: tuple[AttemptEnd, ...] = ()
    forgotten: frozenset[AttemptKey] = frozenset()

    @property
    def view(self) -> HostView:
        """How a pass sees it."""
        return HostView(self.facts, self.voice is not None, frozenset(self.reported), self.ended, self.forgotten)


@dataclass(frozen=True, slots=True)
class Word:
    """One message of a host, checked and parsed.

    Attributes:
        host: as it describes itself.
        reported: every attempt that it holds, with the job's name as it wrote it.
        ended: those of them that have ended.
        run_seconds: how long each has been at work.
    """

    host: Host
    reported: Mapping[AttemptKey, str]
    ended: tuple[AttemptEnd, ...]
    run_seconds: Mapping[AttemptKey, float] = field(default_factory=dict)


class HostTable:
    """Live hosts by name."""

    def __init__(self, lease_seconds: float) -> None:
        """Begin without hosts.

        Args:
            lease_seconds: a host that is silent for this long is lost.
        """
        self._lease_seconds = lease_seconds
        self._hosts: dict[str, LiveHost] = {}

    def expect(self, host: Host, *, join_time: datetime, heard_time: datetime, now_seconds: float) -> None:
        """Take in a host known from before a restart of the scheduler: it counts as up for a full lease."""
        self._hosts[host.name] = LiveHost(host, facts_of(host), now_seconds, heard_time, join_time)

    def hear(
        self, word: Word, voice: Voice, *, held: Iterable[AttemptKey], now: datetime, now_seconds: float
    ) -> Voice | None:
        """Take in a message.

        Args:
            word: what the host says.
            voice: the stream that it came by.
            held: the attempts that this host is believed to hold.
            now: wall time.
            now_seconds: the same moment, monotonic.

        Returns:
            An older stream of the same boot that this one replaces; None when there is none.

        Raises:
            HostIdInUse: another boot of this host id has an open stream and is within its lease; nothing changed.
        """
        name = word.host.name
        known = self._hosts.get(name)
        is_same_boot = known is not None and known.host.boot_id == word.host.boot_id
        if known is not None and not is_same_boot:
            self._refuse_a_twin(known, word.host, now_seconds)
        if known is None or not is_same_boot:
            forgotten = frozenset(held) - word.reported.keys() if known is not None else frozenset()
            known = LiveHost(word.host, facts_of(word.host), now_seconds, now, now, forgotten=forgotten)
            self._hosts[name] = known
        replaced = known.voice if known.voice is not voice else None
        if known.host != word.host:
            known.host, known.facts = word.host, facts_of(word.host)
        known.voice, known.heard_at, known.heard_time = voice, now_seconds, now
        known.reported, known.ended = word.reported, word.ended
        # What the new boot reports after all, it has found again, as it may with an outbox on disk.
        known.forgotten -= word.reported.keys()
        return replaced

    def hang_up(self, name: str, voice: Voice) -> None:
        """The stream has ended; the host keeps its lease and may call again."""
        known = self._hosts.get(name)
        if known is not None and known.voice is voice:
            known.voice = None

    def lose_silent(self, *, now_seconds: float) -> list[LiveHost]:
        """Take out the hosts that were silent for longer than their lease, and return them."""
        lost = [host for host in self._hosts.values() if now_seconds >= host.heard_at + self._lease_seconds]
        for host in lost:
            del self._hosts[host.host.name]
        return lost

    def remove(self, name: str) -> None:
        """Take out a host that has left."""
        self._hosts.pop(name, None)

    def restart(self, *, now_seconds: float) -> None:
        """Give every host a full lease: the scheduler was not listening, so silence up to now proves nothing."""
        for host in self._hosts.values():
            host.heard_at = max(host.heard_at, now_seconds)

    def find(self, name: str) -> LiveHost | None:
        """A live host, or None."""
        return self._hosts.get(name)

    def all(self) -> tuple[LiveHost, ...]:
        """Every live host."""
        return tuple(self._hosts.values())

    def next_loss(self) -> float | None:
        """When the first host is lost if nobody speaks; None without hosts."""
        return min((host.heard_at + self._lease_seconds for host in self._hosts.values()), default=None)

    def _refuse_a_twin(self, known: LiveHost, newcomer: Host, now_seconds: float) -> None:
        is_silent = now_seconds >= known.heard_at + self._lease_seconds
        if known.voice is None or is_silent:
            # The process of the older boot is gone, or as good as gone: its stream has ended or it says nothing.
            return
        raise HostIdInUse(
            f"another live process synchronizes as {known.host.name}; give this one another host id, or end the other",
            metadata={"host": known.host.name, "boot_id": echo(newcomer.boot_id)},
        )
