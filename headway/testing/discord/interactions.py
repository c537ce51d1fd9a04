"""Opens commands and presses, and takes the bot's answers to them as Discord's rules have it."""

import secrets

from pydantic import JsonValue

from headway.runtime.clock import Clock
from headway.testing.discord.commands import Choice
from headway.testing.discord.conversation import Conversation
from headway.testing.discord.errors import ApiError, FieldFault, invalid_form, unknown
from headway.testing.discord.interaction import Choices, Interaction, InteractionKind, Response, ResponseKind
from headway.testing.discord.payloads import FLAG_EPHEMERAL, Json, Message, MessageBody, User, read
from headway.testing.discord.snowflakes import Snowflakes

RESPOND_SECONDS = 3.0
"""How long a bot may take for its first word."""
TOKEN_SECONDS = 15 * 60.0
"""How long it may say more."""
MAX_INTERACTIONS = 1000
_MAX_CHOICES = 25
_MAX_CHOICE_LENGTH = 100


class Interactions:
    """Opens interactions, and takes the bot's answers to them."""

    def __init__(self, clock: Clock, ids: Snowflakes, conversation: Conversation) -> None:
        self._clock = clock
        self._ids = ids
        self._conversation = conversation
        self._by_token: dict[str, Interaction] = {}

    def open(
        self,
        kind: InteractionKind,
        user: User,
        channel_id: str,
        data: Json,
        *,
        guild_id: str | None = None,
        message: Message | None = None,
    ) -> Interaction:
        """A new interaction with an id and a token of its own."""
        interaction = Interaction(
            id=self._ids.next(),
            token=secrets.token_urlsafe(32),
            kind=kind,
            user=user,
            channel_id=channel_id,
            guild_id=guild_id,
            data=data,
            message=message,
            begin=self._clock.monotonic(),
            conversation=self._conversation,
        )
        self._by_token[interaction.token] = interaction
        if len(self._by_token) > MAX_INTERACTIONS:
            del self._by_token[next(iter(self._by_token))]
        return interaction

    def respond(self, interaction_id: str, token: str, body: JsonValue) -> Json:
        """Take the first word; returns what the callback answers.

        Raises:
            ApiError: 404, no such interaction or its three seconds are over; 400, it was answered already, or a limit
                is broken.
        """
        interaction = self._by_token.get(token)
        if interaction is None or interaction.id != interaction_id:
            raise unknown("interaction", 10062)
        interaction.num_responses += 1
        if interaction.is_answered:
            raise ApiError(400, 40060, "Interaction has already been acknowledged.")
        if self._clock.monotonic() - interaction.begin > RESPOND_SECONDS:
            raise unknown("interaction", 10062)
        response = read(Response, body)
        kind = _allowed_kind(interaction, response)
        self._act(interaction, kind, response.data or {})
        interaction.response = kind
        interaction.has_acted.set()
        if not interaction.is_deferred:
            interaction.is_settled.set()
        return _describe(interaction)

    def _act(self, interaction: Interaction, kind: ResponseKind, data: Json) -> None:
        if kind is ResponseKind.AUTOCOMPLETE:
            interaction.choices = _read_choices(data)
        elif kind is ResponseKind.MESSAGE:
            body = read(MessageBody, data)
            made = self._conversation.create(interaction.channel_id, body, interaction_id=interaction.id)
            interaction.original_id = made.id
        elif kind is ResponseKind.DEFERRED_MESSAGE:
            flags = (read(MessageBody, data).flags or 0) & FLAG_EPHEMERAL
            loading = self._conversation.create_loading(interaction.channel_id, flags, interaction.id)
            interaction.original_id = loading.id
        elif interaction.message is not None:
            interaction.original_id = interaction.message.id
            if kind is ResponseKind.UPDATE_MESSAGE:
                self._conversation.edit(interaction.message.id, read(MessageBody, data))

    def original(self, token: str) -> Message:
        """The message that the first word made.

        Raises:
            ApiError: 404, there is none.
        """
        interaction = self._live(token)
        if interaction.original_id is None:
            raise unknown("Message", 10008)
        return self._conversation.get(interaction.original_id)

    def edit(self, token: str, message_id: str, body: JsonValue) -> Message:
        """Change the first answer (`@original`) or a follow-up.

        Raises:
            ApiError: 404, there is no such message, or the token is too old; 400, a limit is broken.
        """
        interaction = self._live(token)
        is_original = message_id == "@original"
        target = self.original(token).id if is_original else message_id
        if not is_original and target not in interaction.follow_up_ids:
            raise unknown("Message", 10008)
        edited = self._conversation.edit(target, read(MessageBody, body))
        interaction.is_settled.set()
        return edited

    def follow_up(self, token: str, body: JsonValue) -> Message:
        """Say one thing more; the first one behind "thinking" takes its place, as Discord has it.

        Raises:
            ApiError: 404, nothing was said before, or the token is too old; 400, a limit is broken.
        """
        interaction = self._live(token)
        if not interaction.is_answered:
            raise unknown("Webhook", 10015)
        if interaction.original_id and self._conversation.get(interaction.original_id).is_loading:
            return self.edit(token, "@original", body)
        said = read(MessageBody, body)
        message = self._conversation.create(interaction.channel_id, said, interaction_id=interaction.id)
        interaction.follow_up_ids.append(message.id)
        interaction.is_settled.set()
        return message

    def delete(self, token: str, message_id: str) -> None:
        """Take an answer away.

        Raises:
            ApiError: 404, there is none.
        """
        target = self.original(token).id if message_id == "@original" else message_id
        self._conversation.delete(target)

    def _live(self, token: str) -> Interaction:
        interaction = self._by_token.get(token)
        if interaction is None:
            raise unknown("Webhook", 10015)
        if self._clock.monotonic() - interaction.begin > TOKEN_SECONDS:
            raise ApiError(401, 50027, "Invalid Webhook Token")
        return interaction


def _allowed_kind(interaction: Interaction, response: Response) -> ResponseKind:
    message = {ResponseKind.MESSAGE, ResponseKind.DEFERRED_MESSAGE}
    allowed = {
        InteractionKind.COMMAND: message,
        InteractionKind.COMPONENT: message | {ResponseKind.DEFERRED_UPDATE, ResponseKind.UPDATE_MESSAGE},
        InteractionKind.AUTOCOMPLETE: {ResponseKind.AUTOCOMPLETE},
    }[interaction.kind]
    if response.type not in allowed:
        raise invalid_form(
            [FieldFault(("type",), "BASE_TYPE_CHOICES", f"Value must be one of {sorted(map(int, allowed))}.")]
        )
    return ResponseKind(response.type)


def _read_choices(data: Json) -> tuple[Choice, ...]:
    choices = read(Choices, data).choices
    too_long = any(
        not 1 <= len(choice.name) <= _MAX_CHOICE_LENGTH or len(str(choice.value)) > _MAX_CHOICE_LENGTH
        for choice in choices
    )
    if too_long or len(choices) > _MAX_CHOICES:
        message = f"At most {_MAX_CHOICES} choices of 1 to {_MAX_CHOICE_LENGTH} characters."
        raise invalid_form([FieldFault(("data", "choices"), "BASE_TYPE_MAX_LENGTH", message)])
    return choices


def _describe(interaction: Interaction) -> Json:
    described: Json = {"id": interaction.id, "type": int(interaction.kind)}
    if interaction.original_id is not None:
        message = interaction.conversation.get(interaction.original_id)
        described["response_message_id"] = message.id
        described["response_message_loading"] = message.is_loading
        described["response_message_ephemeral"] = message.is_ephemeral
    return {"interaction": described}
