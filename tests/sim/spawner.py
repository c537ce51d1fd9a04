"""For constructors that ask for a spawner: nothing is spawned in the simulator."""

import asyncio
from collections.abc import Coroutine


class NoSpawner:
    """Refuses."""

    def spawn(self, name: str, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        raise NotImplementedError(name)
