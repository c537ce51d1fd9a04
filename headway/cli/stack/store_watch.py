"""Starts a nats-server again that runs and stores nothing: that is what becomes of it at the end of its disk (P28).

It comes back by a restart alone, and then with all that it had acknowledged. A restart on a disk that is still full
would only make things worse, so that is waited for.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from headway.contract.limits import MIB
from headway.runtime.clock import Clock
from headway.runtime.disk import free_bytes
from headway.runtime.durability import Ailment, find_ailment

LOOK_SECONDS = 5.0
ROOM_BYTES = 4 * MIB
"""What must be free before a restart: it writes an index for each stream."""


def is_to_be_restarted(ailment: Ailment | None, num_free_bytes: int) -> bool:
    """Whether a restart can help."""
    return ailment is Ailment.FAILING_DISK or (ailment is Ailment.NO_ROOM and num_free_bytes >= ROOM_BYTES)


@dataclass(frozen=True, slots=True)
class StoreWatch:
    """Looks at nats-server as long as the services run.

    Attributes:
        monitor_url: where its health is asked.
        folder: of its store.
        restart: ends the process; whoever keeps it starts it again.
        tell: says a sentence to the person who started everything.
        clock: for the time between looks.
    """

    monitor_url: str
    folder: Path
    restart: Callable[[], None]
    tell: Callable[[str], None]
    clock: Clock

    async def run(self, stopping: asyncio.Event) -> None:
        """Look again and again, until `stopping`."""
        told: Ailment | None = None
        while not await self.clock.wait_for_event(stopping, LOOK_SECONDS):
            ailment = await find_ailment(self.monitor_url)
            if ailment is not None and ailment is not told:
                self.tell(f"stores nothing any more: {ailment.value}; nothing that was acknowledged is lost")
            told = ailment
            if is_to_be_restarted(ailment, await asyncio.to_thread(_free, self.folder)):
                self.tell("is restarted so that it stores again")
                self.restart()


def _free(folder: Path) -> int:
    try:
        return free_bytes(folder)
    except OSError:
        return 0
