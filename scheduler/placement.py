"""The choice of a host for an attempt, with the reason why each other host was refused. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from headway.contract.host_facts import HostFacts
from headway.contract.modes import mode_name
from headway.v1.job_specs_pb2 import EXECUTION_MODE_UNSPECIFIED, ExecutionMode
from scheduler.snapshot import Demand, HeldJob, HostView


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a host suits a demand now.

    Attributes:
        host: `hosts/{host}`.
        reason: UPPER_SNAKE_CASE word when it does not; empty when it does.
        message: the same for people.
    """

    host: str
    reason: str = ""
    message: str = ""

    @property
    def is_suitable(self) -> bool:
        """Whether the host could take the job now."""
        return not self.reason

    @property
    def is_for_now(self) -> bool:
        """Whether the host would suit the demand if it were idle."""
        return self.reason in _FOR_NOW


_FOR_NOW = frozenset({"NO_FREE_SLOT", "NO_FREE_GPU", "NO_FREE_MEMORY", "INFERENCE_BUSY"})
INFERENCE_PER_HOST = 1
"""Attempts of the lane of inference that a host runs at a time, beside those in its slots: a host whose slots are all
busy with training still answers, and what it trains is slowed down by one process at most."""


class Room:
    """What is left on one host while a pass gives it away."""

    def __init__(self, host: HostView) -> None:
        self.host = host
        self.slots = host.facts.num_slots
        self.inference = INFERENCE_PER_HOST
        self.gpus = len(host.facts.gpu_names)
        self.memory_mib = host.facts.memory_mib

    def take(self, demand: Demand) -> None:
        """Hold what an attempt of this demand holds."""
        if demand.is_inference:
            self.inference -= 1
            return
        self.slots -= 1
        self.gpus -= demand.num_gpus
        self.memory_mib -= demand.memory_mib

    def fits(self, demand: Demand) -> bool:
        """Whether an attempt of this demand fits besides what is held."""
        if demand.is_inference:
            return self.inference > 0
        return self.slots > 0 and self.gpus >= demand.num_gpus and self.memory_mib >= demand.memory_mib


def rooms_of(hosts: Iterable[HostView], held: Iterable[HeldJob]) -> dict[str, Room]:
    """What is left on each host besides the attempts that it holds, by host name."""
    rooms = {host.facts.name: Room(host) for host in hosts}
    for job in held:
        room = rooms.get(job.host)
        if room is not None:
            room.take(job.demand)
    return rooms


def judge(demand: Demand, mode: "ExecutionMode.ValueType", room: Room) -> Verdict:
    """Whether a host suits a demand: first what it is, then what is left on it.

    Args:
        demand: what the job asks for.
        mode: LOCAL or HOST as selected; UNSPECIFIED when none could be, and then no host is refused for its mode.
        room: what is left on the host.
    """
    refusal = refuse_for_good(demand, mode, room.host) or _refuse_for_now(demand, room)
    return Verdict(room.host.facts.name, *refusal) if refusal else Verdict(room.host.facts.name)


def refuse_for_good(demand: Demand, mode: "ExecutionMode.ValueType", host: HostView) -> tuple[str, str] | None:
    """Why a host cannot take the demand however idle it is, as reason and sentence; None when it can."""
    facts = host.facts
    if not host.connected:
        return "NOT_CONNECTED", "its stream is closed; it counts as lost when its lease ends"
    if facts.draining:
        return "DRAINING", "it takes no new work"
    if mode not in (EXECUTION_MODE_UNSPECIFIED, facts.mode):
        return "WRONG_MODE", f"it is a {mode_name(facts.mode)} host and the job runs in mode {mode_name(mode)}"
    if demand.wish.kind not in facts.kinds:
        return "RECIPE_UNAVAILABLE", f"its recipe for {demand.wish.kind} does not import, or it has none"
    if demand.num_gpus and (refusal := _refuse_for_gpus(demand, facts)):
        return refusal
    if facts.memory_mib < demand.memory_mib:
        return "NOT_ENOUGH_MEMORY", f"it has {facts.memory_mib} MiB and the job asks for {demand.memory_mib} MiB"
    return None


def _refuse_for_gpus(demand: Demand, facts: HostFacts) -> tuple[str, str] | None:
    gpu_type = demand.wish.gpu_type
    matching = sum(gpu_type.lower() in name.lower() for name in facts.gpu_names)
    if not facts.gpu_names:
        return "NO_GPU", "it has no GPU and the job requires one"
    if not matching:
        return "GPU_TYPE", f"none of its GPUs is a {gpu_type}"
    if matching < demand.num_gpus:
        return "NOT_ENOUGH_GPUS", f"it has {matching} GPUs of the kind and the job holds {demand.num_gpus}"
    return None


def _refuse_for_now(demand: Demand, room: Room) -> tuple[str, str] | None:
    facts = room.host.facts
    if demand.is_inference:
        return None if room.inference > 0 else ("INFERENCE_BUSY", "it is answering another prediction")
    if room.slots <= 0:
        return "NO_FREE_SLOT", f"all of its {facts.num_slots} slots are in use"
    if room.gpus < demand.num_gpus:
        return "NO_FREE_GPU", f"{max(0, room.gpus)} of its GPUs are free and the job holds {demand.num_gpus}"
    if room.memory_mib < demand.memory_mib:
        return "NO_FREE_MEMORY", f"{max(0, room.memory_mib)} MiB are free and the job asks for {demand.memory_mib} MiB"
    return None


def candidates(demand: Demand, mode: "ExecutionMode.ValueType", rooms: Iterable[Room]) -> list[Room]:
    """The hosts that can take the demand when they are idle enough."""
    return [room for room in rooms if refuse_for_good(demand, mode, room.host) is None]


def choose(demand: Demand, suited: Sequence[Room]) -> Room | None:
    """The best of `candidates` that has room now; None when none has.

    The emptiest host wins, so that attempts spread; a job that needs no GPU goes first to hosts without one, so that
    GPUs are there for those who need them. The name settles a tie.
    """
    fitting = [room for room in suited if room.fits(demand)]
    if not fitting:
        return None
    return min(
        fitting,
        key=lambda room: (not demand.num_gpus and bool(room.host.facts.gpu_names), -room.slots, room.host.facts.name),
    )
