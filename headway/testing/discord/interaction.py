"""One command, press or autocomplete: what a person asked, and what the bot made of it."""

import asyncio
from dataclasses import dataclass, field
from enum import IntEnum

from headway.testing.discord.commands import Choice
from headway.testing.discord.conversation import Conversation
from headway.testing.discord.payloads import Json, Message, Payload, User


class NotAnswered(Exception):
    """The bot did not answer in time; a person would read "The application did not respond"."""


class InteractionKind(IntEnum):
    """What a person did; the numbers are Discord's."""

    COMMAND = 2
    COMPONENT = 3
    AUTOCOMPLETE = 4


class ResponseKind(IntEnum):
    """A bot's first word; the numbers are Discord's."""

    MESSAGE = 4
    DEFERRED_MESSAGE = 5
    DEFERRED_UPDATE = 6
    UPDATE_MESSAGE = 7
    AUTOCOMPLETE = 8


class Response(Payload):
    """The body of an interaction's callback."""

    type: int
    data: Json | None = None


class Choices(Payload):
    """The data of an autocomplete's answer."""

    choices: tuple[Choice, ...] = ()


@dataclass(slots=True)
class Interaction:
    """One command, press or autocomplete.

    Attributes:
        id: the bot sees the same one again when it is replayed.
        token: with which the bot answers.
        kind: what the person did.
        user: who.
        channel_id: where.
        guild_id: the server; None in a direct message.
        data: what exactly.
        message: that a pressed button stands on.
        begin: of the clock's monotonic time.
        response: the bot's first word; None while it has said nothing.
        original_id: the message that the bot's first word made or stands for.
        follow_up_ids: of what it said besides.
        choices: of an autocomplete.
        num_responses: how many first words came, refused ones included.
    """

    id: str
    token: str
    kind: InteractionKind
    user: User
    channel_id: str
    guild_id: str | None
    data: Json
    message: Message | None
    begin: float
    conversation: Conversation = field(repr=False)
    response: ResponseKind | None = None
    original_id: str | None = None
    follow_up_ids: list[str] = field(default_factory=list)
    choices: tuple[Choice, ...] = ()
    num_responses: int = 0
    has_acted: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    is_settled: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    @property
    def is_answered(self) -> bool:
        """Whether the bot has said anything at all, were it only that it is thinking."""
        return self.response is not None

    @property
    def is_deferred(self) -> bool:
        """Whether the bot said first that it would answer later."""
        return self.response in {ResponseKind.DEFERRED_MESSAGE, ResponseKind.DEFERRED_UPDATE}

    @property
    def follow_ups(self) -> tuple[Message, ...]:
        """What the bot said besides its answer, as it is now."""
        return tuple(self.conversation.get(message_id) for message_id in self.follow_up_ids)

    async def responded(self, timeout_seconds: float = 10.0) -> ResponseKind:
        """Wait for the bot's first word.

        Raises:
            NotAnswered: it did not come in time.
        """
        await self._wait(self.has_acted, timeout_seconds)
        if self.response is None:
            raise NotAnswered("the bot did not respond")
        return self.response

    async def answer(self, timeout_seconds: float = 10.0) -> Message:
        """Wait for the whole answer: not "thinking", but the message, the changed message or the first follow-up.

        Raises:
            NotAnswered: it did not come in time.
        """
        await self._wait(self.is_settled, timeout_seconds)
        shown = self.original_id
        if self.response is ResponseKind.DEFERRED_UPDATE and self.follow_up_ids:
            shown = self.follow_up_ids[0]
        if shown is None:
            raise NotAnswered("the bot took note and showed nothing")
        return self.conversation.get(shown)

    async def _wait(self, event: asyncio.Event, timeout_seconds: float) -> None:
        try:
            async with asyncio.timeout(timeout_seconds):
                await event.wait()
        except TimeoutError:
            thinking = "is still thinking" if self.is_answered else "did not respond"
            raise NotAnswered(f"the bot {thinking} after {timeout_seconds:g} s") from None
