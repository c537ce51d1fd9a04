"""Every message there is, as its reader sees it now, and who is told when one changes."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from headway.runtime.clock import Clock
from headway.testing.discord.errors import unknown
from headway.testing.discord.limits import check_body, pings_of, refuse_empty
from headway.testing.discord.payloads import FLAG_LOADING, FLAG_SUPPRESS_EMBEDS, Message, MessageBody
from headway.testing.discord.snowflakes import Snowflakes

MAX_MESSAGES = 5000
"""How many are remembered; the oldest are forgotten first."""
_NONCE_SECONDS = 300.0
_MAX_WAITING_CHANGES = 10_000


class ChangeKind(StrEnum):
    """What can happen in a conversation."""

    CREATED = "created"
    EDITED = "edited"
    DELETED = "deleted"
    SAID = "said"
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that happened.

    Attributes:
        kind: what.
        message: which, as it is now; None when it is about no message.
        text: what a person typed or pressed, for `SAID`.
    """

    kind: ChangeKind
    message: Message | None = None
    text: str = ""


class Listeners:
    """Hands each change to everybody who listens."""

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[Change]] = set()

    @property
    def num_listening(self) -> int:
        """How many listen now."""
        return len(self._queues)

    def tell(self, change: Change) -> None:
        """Pass a change on; whoever does not read loses the oldest ones."""
        for queue in self._queues:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(change)

    @contextmanager
    def listening(self) -> Generator[asyncio.Queue[Change], None, None]:
        """Everything that happens inside the block."""
        queue: asyncio.Queue[Change] = asyncio.Queue(_MAX_WAITING_CHANGES)
        self._queues.add(queue)
        try:
            yield queue
        finally:
            self._queues.discard(queue)


class Conversation:
    """The messages of all channels, oldest first."""

    def __init__(self, clock: Clock, ids: Snowflakes, listeners: Listeners, messages: tuple[Message, ...] = ()) -> None:
        self._clock = clock
        self._ids = ids
        self._listeners = listeners
        self._messages = {message.id: message for message in messages}
        self._nonces: dict[tuple[str, str], tuple[str, float]] = {}

    def newest(self, count: int) -> tuple[Message, ...]:
        """The newest messages of all channels, oldest first."""
        return tuple(self._messages.values())[-count:]

    def of_channel(self, channel_id: str) -> tuple[Message, ...]:
        """The messages of one channel, oldest first."""
        return tuple(message for message in self._messages.values() if message.channel_id == channel_id)

    def get(self, message_id: str, channel_id: str | None = None) -> Message:
        """A message as it is now.

        Raises:
            ApiError: 404, code 10008.
        """
        message = self._messages.get(message_id)
        if message is None or channel_id not in {None, message.channel_id}:
            raise unknown("Message", 10008)
        return message

    def create(self, channel_id: str, body: MessageBody, *, interaction_id: str | None = None) -> Message:
        """A new message; with `enforce_nonce`, the one that came with this nonce a short while ago.

        Raises:
            ApiError: 400, a limit is broken.
        """
        check_body(body, is_answer=interaction_id is not None)
        earlier = self._with_nonce(channel_id, body)
        if earlier is not None:
            return earlier
        message = Message(
            id=self._ids.next(),
            channel_id=channel_id,
            content=body.content or "",
            embeds=body.embeds or (),
            components=body.components or (),
            flags=body.flags or 0,
            nonce=None if body.nonce is None else str(body.nonce),
            interaction_id=interaction_id,
            create_time=self._clock.now().isoformat(),
            pings=pings_of(body.content or "", body.allowed_mentions),
        )
        refuse_empty(message)
        if message.nonce is not None:
            self._nonces[channel_id, message.nonce] = (message.id, self._clock.monotonic())
        return self._keep(message, ChangeKind.CREATED)

    def create_loading(self, channel_id: str, flags: int, interaction_id: str) -> Message:
        """The message that says that the bot is thinking."""
        message = Message(
            id=self._ids.next(),
            channel_id=channel_id,
            flags=flags | FLAG_LOADING,
            interaction_id=interaction_id,
            create_time=self._clock.now().isoformat(),
        )
        return self._keep(message, ChangeKind.CREATED)

    def edit(self, message_id: str, body: MessageBody, channel_id: str | None = None) -> Message:
        """Change what the body says and leave the rest.

        Raises:
            ApiError: 400, a limit is broken; 404, no such message.
        """
        before = self.get(message_id, channel_id)
        check_body(body, is_answer=before.interaction_id is not None)
        flags = before.flags & ~FLAG_LOADING
        if body.says("flags"):
            # Discord lets an edit change this flag and no other.
            flags = (flags & ~FLAG_SUPPRESS_EMBEDS) | ((body.flags or 0) & FLAG_SUPPRESS_EMBEDS)
        content = (body.content or "") if body.says("content") else before.content
        after = before.changed(
            content=content,
            embeds=(body.embeds or ()) if body.says("embeds") else before.embeds,
            components=(body.components or ()) if body.says("components") else before.components,
            flags=flags,
            num_edits=before.num_edits + (0 if before.is_loading else 1),
            edit_time=None if before.is_loading else self._clock.now().isoformat(),
            pings=pings_of(content, body.allowed_mentions) if body.says("content") else before.pings,
        )
        refuse_empty(after)
        return self._keep(after, ChangeKind.EDITED)

    def delete(self, message_id: str, channel_id: str | None = None) -> None:
        """Take a message away.

        Raises:
            ApiError: 404, no such message.
        """
        message = self.get(message_id, channel_id)
        del self._messages[message_id]
        self._listeners.tell(Change(ChangeKind.DELETED, message))

    def _with_nonce(self, channel_id: str, body: MessageBody) -> Message | None:
        if body.nonce is None or not body.enforce_nonce:
            return None
        found = self._nonces.get((channel_id, str(body.nonce)))
        if found is None or self._clock.monotonic() - found[1] > _NONCE_SECONDS:
            return None
        return self._messages.get(found[0])

    def _keep(self, message: Message, kind: ChangeKind) -> Message:
        self._messages[message.id] = message
        if len(self._messages) > MAX_MESSAGES:
            del self._messages[next(iter(self._messages))]
        if len(self._nonces) > MAX_MESSAGES:
            del self._nonces[next(iter(self._nonces))]
        self._listeners.tell(Change(kind, message))
        return message
