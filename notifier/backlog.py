"""The events that were received and not told yet, each with the message that must be acknowledged."""

import asyncio
from collections.abc import Iterable

from headway.runtime.feeds import Message
from notifier.batching import Held


class Backlog:
    """Bounded by the consumer's max_ack_pending: what is not acknowledged is not followed by more."""

    def __init__(self) -> None:
        self.changed = asyncio.Event()
        self.emptied = asyncio.Event()
        self.emptied.set()
        self._held: dict[int, Held] = {}
        self._messages: dict[int, Message] = {}

    def __contains__(self, sequence: int) -> bool:
        return sequence in self._held

    def __len__(self) -> int:
        return len(self._held)

    def add(self, held: Held, message: Message) -> None:
        """Hold an event until it is told."""
        self._held[held.sequence] = held
        self._messages[held.sequence] = message
        self.changed.set()
        self.emptied.clear()

    def held(self) -> list[Held]:
        """What waits."""
        return list(self._held.values())

    def remove(self, batch: Iterable[Held]) -> list[Message]:
        """Forget these events; their messages, to be acknowledged."""
        removed: list[Message] = []
        for event in batch:
            del self._held[event.sequence]
            removed.append(self._messages.pop(event.sequence))
        if not self._held:
            self.emptied.set()
        return removed
