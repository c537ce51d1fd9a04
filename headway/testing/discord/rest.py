"""The REST routes of messages, channels, users and commands."""

import json
from collections.abc import Awaitable, Callable

from aiohttp import web
from pydantic import JsonValue

from headway.testing.discord.commands import Command, read_commands
from headway.testing.discord.conversation import Conversation
from headway.testing.discord.errors import ApiError, unknown
from headway.testing.discord.interactions import Interactions
from headway.testing.discord.payloads import Json, Message, MessageBody, read
from headway.testing.discord.people import World
from headway.testing.discord.snowflakes import Snowflakes

Answer = Json | list[JsonValue] | None
"""What a route answers; None is 204 without a body."""
Route = Callable[[web.Request], Awaitable[Answer]]


class Registry:
    """The application's global commands."""

    def __init__(self, ids: Snowflakes, commands: tuple[Command, ...] = ()) -> None:
        self._ids = ids
        self.commands = commands

    def replace(self, body: JsonValue) -> tuple[Command, ...]:
        """Take the place of all commands; one that keeps its name keeps its id."""
        known = {command.name: command.id for command in self.commands}
        self.commands = tuple(
            command.model_copy(update={"id": known.get(command.name) or self._ids.next()})
            for command in read_commands(body)
        )
        return self.commands


class Rest:
    """Carries out what the bot asks over HTTP."""

    def __init__(
        self, world: World, conversation: Conversation, interactions: Interactions, registry: Registry
    ) -> None:
        self._world = world
        self._conversation = conversation
        self._interactions = interactions
        self._registry = registry

    def routes(self) -> list[tuple[str, str, Route]]:
        """Method, path behind the base, and what answers."""
        messages, one = "/channels/{channel}/messages", "/channels/{channel}/messages/{message}"
        hook, answer = "/webhooks/{application}/{token}", "/webhooks/{application}/{token}/messages/{message}"
        return [
            ("GET", "/users/@me", self._me),
            ("GET", "/users/{user}", self._user),
            ("GET", "/oauth2/applications/@me", self._application),
            ("GET", "/applications/@me", self._application),
            ("GET", "/applications/{application}/commands", self._list_commands),
            ("PUT", "/applications/{application}/commands", self._replace_commands),
            ("POST", "/users/@me/channels", self._open_channel),
            ("GET", "/channels/{channel}", self._channel),
            ("POST", "/channels/{channel}/typing", self._typing),
            ("GET", messages, self._list_messages),
            ("POST", messages, self._create_message),
            ("GET", one, self._get_message),
            ("PATCH", one, self._edit_message),
            ("DELETE", one, self._delete_message),
            ("POST", "/interactions/{interaction}/{token}/callback", self._respond),
            ("POST", hook, self._follow_up),
            ("GET", answer, self._get_answer),
            ("PATCH", answer, self._edit_answer),
            ("DELETE", answer, self._delete_answer),
        ]

    async def _me(self, _request: web.Request) -> Answer:
        return self._world.bot.to_json()

    async def _user(self, request: web.Request) -> Answer:
        return self._world.user(request.match_info["user"]).to_json()

    async def _application(self, _request: web.Request) -> Answer:
        return {
            "id": self._world.bot.id,
            "name": self._world.bot.username,
            "icon": None,
            "description": "",
            "summary": "",
            "bot_public": False,
            "bot_require_code_grant": False,
            "owner": self._world.owner.to_json(),
            "verify_key": "0" * 64,
            "flags": 0,
            "team": None,
        }

    async def _list_commands(self, request: web.Request) -> Answer:
        self._refuse_other_application(request)
        return self._describe_commands()

    async def _replace_commands(self, request: web.Request) -> Answer:
        self._refuse_other_application(request)
        self._registry.replace(await read_body(request))
        return self._describe_commands()

    def _describe_commands(self) -> list[JsonValue]:
        mine: Json = {"application_id": self._world.bot.id, "version": "1"}
        return [{**command.to_json(), **mine, "id": command.id} for command in self._registry.commands]

    async def _open_channel(self, request: web.Request) -> Answer:
        body = await read_body(request)
        user_id = body.get("recipient_id") if isinstance(body, dict) else None
        user = self._world.user(str(user_id))
        if user.bot:
            raise ApiError(400, 50007, "Cannot send messages to this user")
        return self._world.describe_channel(self._world.channel_of(user))

    async def _channel(self, request: web.Request) -> Answer:
        return self._world.describe_channel(request.match_info["channel"])

    async def _typing(self, request: web.Request) -> Answer:
        self._world.describe_channel(request.match_info["channel"])
        return None

    async def _list_messages(self, request: web.Request) -> Answer:
        limit = min(100, max(1, int(request.query.get("limit", "50"))))
        found = [one for one in self._conversation.of_channel(request.match_info["channel"]) if not one.is_ephemeral]
        return [self._wire(message) for message in reversed(found[-limit:])]

    async def _create_message(self, request: web.Request) -> Answer:
        channel_id = request.match_info["channel"]
        self._world.describe_channel(channel_id)
        return self._wire(self._conversation.create(channel_id, read(MessageBody, await read_body(request))))

    async def _get_message(self, request: web.Request) -> Answer:
        return self._wire(self._conversation.get(*self._place(request)))

    async def _edit_message(self, request: web.Request) -> Answer:
        message_id, channel_id = self._place(request)
        body = read(MessageBody, await read_body(request))
        return self._wire(self._conversation.edit(message_id, body, channel_id))

    async def _delete_message(self, request: web.Request) -> Answer:
        self._conversation.delete(*self._place(request))
        return None

    async def _respond(self, request: web.Request) -> Answer:
        place = request.match_info
        described = self._interactions.respond(place["interaction"], place["token"], await read_body(request))
        return described if request.query.get("with_response") in {"1", "true"} else None

    async def _follow_up(self, request: web.Request) -> Answer:
        self._refuse_other_application(request)
        message = self._interactions.follow_up(request.match_info["token"], await read_body(request))
        return self._wire(message)

    async def _get_answer(self, request: web.Request) -> Answer:
        self._refuse_other_application(request)
        place = request.match_info
        is_original = place["message"] == "@original"
        original = self._interactions.original(place["token"])
        return self._wire(original if is_original else self._conversation.get(place["message"]))

    async def _edit_answer(self, request: web.Request) -> Answer:
        self._refuse_other_application(request)
        place = request.match_info
        return self._wire(self._interactions.edit(place["token"], place["message"], await read_body(request)))

    async def _delete_answer(self, request: web.Request) -> Answer:
        self._refuse_other_application(request)
        self._interactions.delete(request.match_info["token"], request.match_info["message"])
        return None

    def _refuse_other_application(self, request: web.Request) -> None:
        if request.match_info["application"] != self._world.bot.id:
            raise ApiError(404, 10002, "Unknown Application")

    def _place(self, request: web.Request) -> tuple[str, str]:
        """Message and channel of a route; what only its reader sees is known to its interaction alone."""
        message_id, channel_id = request.match_info["message"], request.match_info["channel"]
        if self._conversation.get(message_id, channel_id).is_ephemeral:
            raise unknown("Message", 10008)
        return message_id, channel_id

    def _wire(self, message: Message) -> Json:
        return message.to_wire(self._world.bot)


async def read_body(request: web.Request) -> JsonValue:
    """The JSON of a request.

    Raises:
        ApiError: 400 or 415, it is none.
    """
    if request.content_type != "application/json":
        raise ApiError(415, 50035, "This double takes application/json only.")
    try:
        body: JsonValue = json.loads(await request.read())
    except ValueError:
        raise ApiError(400, 50109, "The request body contains invalid JSON.") from None
    return body
