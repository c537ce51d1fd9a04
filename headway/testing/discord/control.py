"""The control API, for people and other processes: read the owner's direct messages, type, press, listen.

It asks for the bot's token, as the REST interface does: on a shared machine loopback is not private.
"""

import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

from headway.testing.discord.commands import BadLine, Choice, Command, usages
from headway.testing.discord.conversation import Change, ChangeKind, Listeners
from headway.testing.discord.errors import ApiError
from headway.testing.discord.gateway import Gateway, NotConnected
from headway.testing.discord.interaction import Interaction, NotAnswered
from headway.testing.discord.payloads import Json, Message, User

PREFIX = "/control"
MAX_WAIT_SECONDS = 60.0
PATIENCE_SECONDS = 5.0
"""How long a bot that is not connected is waited for."""


class Discord(Protocol):
    """What the control API steers: see `FakeDiscord`."""

    @property
    def token(self) -> str:
        """Of the bot."""
        ...

    @property
    def gateway(self) -> Gateway:
        """The websocket side."""
        ...

    @property
    def listeners(self) -> Listeners:
        """Hear of each change."""
        ...

    @property
    def messages(self) -> tuple[Message, ...]:
        """The owner's direct messages."""
        ...

    @property
    def owner(self) -> User:
        """Whose they are."""
        ...

    @property
    def owner_channel_id(self) -> str:
        """Where they are."""
        ...

    @property
    def commands(self) -> tuple[Command, ...]:
        """The registered commands."""
        ...

    async def invoke(self, line: str) -> Interaction:
        """Type a command as the owner."""
        ...

    async def autocomplete(self, line: str) -> list[Choice]:
        """What the bot offers for the last value of a line."""
        ...

    async def press(self, message: Message | str, custom_id: str) -> Interaction:
        """Press a button as the owner."""
        ...


class Asked(BaseModel):
    """What a caller of the control API wants.

    Attributes:
        line: a command, or the beginning of one.
        button: number of a button of the newest message that has any, from 1.
        message_id: of a message, with `custom_id`.
        custom_id: of a button on it.
        timeout_seconds: how long to wait for the bot.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    line: str = ""
    button: int = 0
    message_id: str = ""
    custom_id: str = ""
    timeout_seconds: float = 15.0


class Control:
    """The routes of the control API."""

    def __init__(self, discord: Discord) -> None:
        self._discord = discord

    def add_to(self, app: web.Application) -> None:
        """Add the routes."""
        app.router.add_get(f"{PREFIX}/state", self._guard(self._state))
        app.router.add_post(f"{PREFIX}/invoke", self._guard(self._invoke))
        app.router.add_post(f"{PREFIX}/press", self._guard(self._press))
        app.router.add_post(f"{PREFIX}/autocomplete", self._guard(self._autocomplete))
        app.router.add_get(f"{PREFIX}/changes", self._changes)

    def _guard(
        self, route: Callable[[web.Request], Awaitable[Json]]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def guarded(request: web.Request) -> web.StreamResponse:
            if not self._is_allowed(request):
                return _refusal(401, "UNAUTHENTICATED", "the control API wants the bot's token")
            try:
                return web.json_response(await route(request))
            except (BadLine, ApiError, ValidationError) as error:
                return _refusal(400, "BAD_LINE", str(error))
            except NotConnected as error:
                return _refusal(409, "NOT_CONNECTED", str(error))
            except NotAnswered as error:
                return _refusal(504, "NOT_ANSWERED", str(error))

        return guarded

    def _is_allowed(self, request: web.Request) -> bool:
        return request.headers.get("Authorization") == f"Bot {self._discord.token}"

    async def _state(self, _request: web.Request) -> Json:
        return {
            "is_connected": self._discord.gateway.is_connected,
            "owner_id": self._discord.owner.id,
            "commands": [{"usage": usage, "description": what} for usage, what in usages(self._discord.commands)],
            "messages": [describe(message) for message in self._discord.messages],
        }

    async def _invoke(self, request: web.Request) -> Json:
        asked = await _read(request)
        await self._wait_for_bot()
        return await _answer(await self._discord.invoke(asked.line), asked)

    async def _press(self, request: web.Request) -> Json:
        asked = await _read(request)
        message_id, custom_id = asked.message_id, asked.custom_id
        if asked.button:
            message_id, custom_id = find_button(self._discord.messages, asked.button)
        await self._wait_for_bot()
        return await _answer(await self._discord.press(message_id, custom_id), asked)

    async def _wait_for_bot(self) -> None:
        """A person who is quicker than the bot's start, or its return, need not try again."""
        if self._discord.gateway.session is None:
            await self._discord.gateway.wait_connected(PATIENCE_SECONDS)

    async def _autocomplete(self, request: web.Request) -> Json:
        await self._wait_for_bot()
        choices = await self._discord.autocomplete((await _read(request)).line)
        return {"choices": [choice.to_json() for choice in choices]}

    async def _changes(self, request: web.Request) -> web.StreamResponse:
        """Every change as a line of JSON, until the caller leaves; with `?past=N` first the newest N messages."""
        if not self._is_allowed(request):
            return _refusal(401, "UNAUTHENTICATED", "the control API wants the bot's token")
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        with suppress(ConnectionError):
            await self._stream(response, num_past=_count(request.query.get("past", "0")))
        return response

    async def _stream(self, response: web.StreamResponse, *, num_past: int) -> None:
        with self._discord.listeners.listening() as queue:
            messages = self._discord.messages
            for message in messages[max(0, len(messages) - num_past) :]:
                await _write(response, Change(ChangeKind.CREATED, message))
            # Behind the past, so that a reader knows that it has all of it.
            await _write(response, Change(_presence(self._discord.gateway.is_connected)))
            while True:
                change = await queue.get()
                if change.message is None or self._is_of_owner(change.message):
                    await _write(response, change)

    def _is_of_owner(self, message: Message) -> bool:
        return message.channel_id == self._discord.owner_channel_id


def find_button(messages: tuple[Message, ...], number: int) -> tuple[str, str]:
    """The button of a number on the newest message that has any: the message's id and the button's.

    Raises:
        BadLine: there is none.
    """
    message = next((one for one in reversed(messages) if not all(part.disabled for part in one.buttons)), None)
    if message is None:
        raise BadLine("no message has a button that can be pressed")
    if not 1 <= number <= len(message.buttons):
        raise BadLine(f"the newest message with buttons has 1 to {len(message.buttons)}")
    custom_id = message.buttons[number - 1].custom_id
    if custom_id is None:
        raise BadLine("that button is a link")
    return message.id, custom_id


def describe(message: Message) -> Json:
    """A message for the control API, with what a reader sees of its flags."""
    described: Json = message.model_dump(mode="json")
    return {**described, "is_ephemeral": message.is_ephemeral, "is_silent": message.is_silent}


async def _answer(interaction: Interaction, asked: Asked) -> Json:
    try:
        message = await interaction.answer(min(asked.timeout_seconds, MAX_WAIT_SECONDS))
    except ApiError:
        # The bot took its answer away again, as one does with a question that was settled.
        return {"message": None}
    return {"message": describe(message)}


async def _read(request: web.Request) -> Asked:
    return Asked.model_validate_json(await request.read())


async def _write(response: web.StreamResponse, change: Change) -> None:
    message = None if change.message is None else describe(change.message)
    line: Json = {"kind": change.kind.value, "message": message, "text": change.text}
    await response.write(json.dumps(line).encode() + b"\n")


def _count(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def _presence(is_connected: bool) -> ChangeKind:  # noqa: FBT001 - whether a bot is here
    return ChangeKind.CONNECTED if is_connected else ChangeKind.DISCONNECTED


def _refusal(status: int, reason: str, message: str) -> web.Response:
    return web.json_response({"reason": reason, "message": message}, status=status)
