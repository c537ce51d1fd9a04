"""What the control API of the fake Discord says, typed; only what a terminal shows."""

from pydantic import BaseModel, ConfigDict

_LOADING = 1 << 7
_BUTTON = 2


class Shown(BaseModel):
    """A part of an answer; the rest of it is left unread."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Field(Shown):
    """A name and a value of an embed."""

    name: str
    value: str
    inline: bool = False


class Footer(Shown):
    """The last line of an embed."""

    text: str


class Embed(Shown):
    """A framed part of a message."""

    title: str | None = None
    description: str | None = None
    color: int | None = None
    fields: tuple[Field, ...] = ()
    footer: Footer | None = None


class Button(Shown):
    """A button, or another part of a row."""

    type: int
    style: int | None = None
    label: str | None = None
    custom_id: str | None = None
    disabled: bool = False


class Row(Shown):
    """A row of buttons."""

    components: tuple[Button, ...] = ()


class DirectMessage(Shown):
    """A message as it looks now; the fields are those of the control API."""

    id: str
    content: str = ""
    embeds: tuple[Embed, ...] = ()
    components: tuple[Row, ...] = ()
    flags: int = 0
    interaction_id: str | None = None
    num_edits: int = 0
    create_time: str = ""
    edit_time: str | None = None
    is_ephemeral: bool = False
    is_silent: bool = False

    @property
    def is_loading(self) -> bool:
        """Whether the bot is thinking."""
        return bool(self.flags & _LOADING)

    @property
    def buttons(self) -> tuple[Button, ...]:
        """Every button, in the order of its numbers."""
        return tuple(part for row in self.components for part in row.components if part.type == _BUTTON)

    @property
    def titles(self) -> tuple[str, ...]:
        """Of the embeds."""
        return tuple(embed.title or "" for embed in self.embeds)


class Change(Shown):
    """Something that happened: `created`, `edited`, `deleted`, `said`, `connected` or `disconnected`."""

    kind: str
    message: DirectMessage | None = None
    text: str = ""


class Usage(Shown):
    """A command that the bot has registered."""

    usage: str
    description: str = ""


class State(Shown):
    """Everything at once."""

    is_connected: bool
    commands: tuple[Usage, ...] = ()
    messages: tuple[DirectMessage, ...] = ()


class Answer(Shown):
    """What became of a command or a press; no message where the bot took its answer away again."""

    message: DirectMessage | None = None


class Offer(Shown):
    """A value that the bot offers while a line is typed."""

    name: str
    value: str | int | float


class Offers(Shown):
    """All of them."""

    choices: tuple[Offer, ...] = ()


class Refusal(Shown):
    """Why there is no answer."""

    reason: str
    message: str
