"""What the wiring hands to the wiring of one sink."""

from collections.abc import Callable
from dataclasses import dataclass

from headway.runtime.bus import Bus
from headway.runtime.service import Service
from notifier.settings import NotifierSettings
from notifier.sink_health import SinkHealth
from notifier.watch_store import WatchStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What every sink may need.

    Attributes:
        service: owns loops, tasks, resources and the clock.
        bus: of NATS.
        settings: of the whole notifier.
        health: where a sink says how it is.
        watches: the jobs that the owner follows closely; loaded.
        redact: takes secrets and paths out of a text.
    """

    service: Service
    bus: Bus
    settings: NotifierSettings
    health: SinkHealth
    watches: WatchStore
    redact: Callable[[str], str]
