"""What goes over the wire, typed: the parts of Discord's API v10 that a bot in direct messages uses."""

from typing import Self, TypeVar

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError
from pydantic_core import PydanticSerializationError, to_json

from headway.testing.discord.errors import ApiError, FieldFault, invalid_form

Json = dict[str, JsonValue]

FLAG_SUPPRESS_EMBEDS = 1 << 2
FLAG_EPHEMERAL = 1 << 6
FLAG_LOADING = 1 << 7
FLAG_SUPPRESS_NOTIFICATIONS = 1 << 12

ACTION_ROW = 1
BUTTON = 2
STRING_SELECT = 3
LINK_STYLE = 5


class Payload(BaseModel):
    """A part of the wire; what a bot sends beyond the fields here is kept and sent back."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)

    def to_json(self) -> Json:
        """As Discord sends it back: without what was never said."""
        dumped: Json = self.model_dump(mode="json", exclude_unset=True)
        return dumped


P = TypeVar("P", bound=Payload)


def read(model: type[P], body: JsonValue) -> P:
    """A payload from what a bot sent.

    Raises:
        ApiError: 400 with the fields at fault, as Discord would answer.
    """
    try:
        return model.model_validate_json(_encoded(body))
    except ValidationError as error:
        faults = [
            FieldFault(tuple(str(part) for part in one["loc"]), one["type"], one["msg"]) for one in error.errors()
        ]
        raise invalid_form(faults) from None


def _encoded(body: JsonValue) -> bytes:
    # A round trip: in JSON mode pydantic takes lists for tuples, and nothing else for anything else.
    try:
        return to_json(body)
    except PydanticSerializationError as error:
        raise ApiError(400, 50109, "The request body contains invalid JSON.") from error


class User(Payload):
    """Somebody, person or bot."""

    id: str
    username: str
    global_name: str | None = None
    discriminator: str = "0"
    avatar: str | None = None
    bot: bool = False

    def to_json(self) -> Json:
        """With all fields; discord.py reads each."""
        dumped: Json = self.model_dump(mode="json")
        return dumped


class EmbedField(Payload):
    """A name and a value of an embed."""

    name: str
    value: str
    inline: bool = False


class EmbedText(Payload):
    """The footer of an embed."""

    text: str


class EmbedAuthor(Payload):
    """The line above an embed's title."""

    name: str


class Embed(Payload):
    """A framed part of a message."""

    title: str | None = None
    description: str | None = None
    url: str | None = None
    color: int | None = None
    timestamp: str | None = None
    fields: tuple[EmbedField, ...] = ()
    footer: EmbedText | None = None
    author: EmbedAuthor | None = None

    @property
    def length(self) -> int:
        """Characters that count against the limit of a message."""
        texts = [self.title or "", self.description or ""]
        texts += [self.footer.text if self.footer else "", self.author.name if self.author else ""]
        texts += [text for field in self.fields for text in (field.name, field.value)]
        return sum(map(len, texts))


class Component(Payload):
    """A row, or a button or menu in a row."""

    type: int
    style: int | None = None
    label: str | None = None
    emoji: Json | None = None
    custom_id: str | None = None
    url: str | None = None
    disabled: bool = False
    options: tuple[Json, ...] = ()
    components: tuple["Component", ...] = ()


class AllowedMentions(Payload):
    """Whom a message may ping."""

    parse: tuple[str, ...] = ()
    users: tuple[str | int, ...] | None = None
    roles: tuple[str | int, ...] | None = None
    replied_user: bool = False


class MessageBody(Payload):
    """What a bot sends to create or edit a message; in an edit, what is not said stays."""

    content: str | None = None
    embeds: tuple[Embed, ...] | None = None
    components: tuple[Component, ...] | None = None
    flags: int | None = None
    nonce: str | int | None = None
    enforce_nonce: bool = False
    allowed_mentions: AllowedMentions | None = None
    tts: bool = False

    def says(self, name: str) -> bool:
        """Whether a field was sent at all."""
        return name in self.model_fields_set


class Message(Payload):
    """A message as its reader sees it now.

    Attributes:
        num_edits: how often it was changed; a deferred answer that arrives is no change.
        interaction_id: of the command or press that it answers; None when the bot sent it by itself.
        pings: whom its text calls in a way that notifies, such as `@everyone`; empty is what a careful bot sends.
    """

    id: str
    channel_id: str
    content: str = ""
    embeds: tuple[Embed, ...] = ()
    components: tuple[Component, ...] = ()
    flags: int = 0
    nonce: str | None = None
    interaction_id: str | None = None
    num_edits: int = 0
    create_time: str
    edit_time: str | None = None
    pings: tuple[str, ...] = ()

    @property
    def is_ephemeral(self) -> bool:
        """Whether only the one who asked sees it, until they look away."""
        return bool(self.flags & FLAG_EPHEMERAL)

    @property
    def is_silent(self) -> bool:
        """Whether it arrives without a notification."""
        return bool(self.flags & FLAG_SUPPRESS_NOTIFICATIONS)

    @property
    def is_loading(self) -> bool:
        """Whether it still says that the bot is thinking."""
        return bool(self.flags & FLAG_LOADING)

    @property
    def buttons(self) -> tuple[Component, ...]:
        """Every button, in reading order."""
        return tuple(part for row in self.components for part in row.components if part.type == BUTTON)

    @property
    def text(self) -> str:
        """All words that a reader sees, for assertions such as `word not in message.text`."""
        parts = [self.content]
        for embed in self.embeds:
            parts += [embed.author.name if embed.author else "", embed.title or "", embed.description or ""]
            parts += [text for field in embed.fields for text in (field.name, field.value)]
            parts.append(embed.footer.text if embed.footer else "")
        parts += [button.label or "" for button in self.buttons]
        return "\n".join(part for part in parts if part)

    def changed(self, **fields: object) -> Self:
        """A copy with other fields."""
        return self.model_copy(update=fields)

    def to_wire(self, author: User) -> Json:
        """As the REST interface and the gateway show it to a bot."""
        return {
            "id": self.id,
            "channel_id": self.channel_id,
            "author": author.to_json(),
            "content": self.content,
            "timestamp": self.create_time,
            "edited_timestamp": self.edit_time,
            "tts": False,
            "mention_everyone": False,
            "mentions": [],
            "mention_roles": [],
            "attachments": [],
            "embeds": [{"type": "rich", **embed.to_json()} for embed in self.embeds],
            "components": [component.to_json() for component in self.components],
            "pinned": False,
            "type": 0,
            "flags": self.flags,
            "nonce": self.nonce,
        }
