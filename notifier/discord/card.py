"""One message as Discord takes it: text, embeds, buttons. Pure; nothing in it can mention anybody."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

import discord

MAX_CONTENT_CHARACTERS = 2000
MAX_EMBEDS = 10
MAX_EMBED_CHARACTERS = 5800
"""Of all embeds of a message; Discord takes 6000, and counts some characters twice."""

MAX_FIELDS = 25
_BUTTONS_A_ROW = 5
_ROW, _BUTTON = 1, 2
_SUPPRESS_NOTIFICATIONS = 1 << 12

Payload = dict[str, object]


class Look(IntEnum):
    """How a button looks; Discord's own numbers."""

    PRIMARY = 1
    PLAIN = 2
    DANGER = 4


@dataclass(frozen=True, slots=True)
class Button:
    """A button that sends its id back to the bot when it is pressed; at most 100 characters."""

    label: str
    custom_id: str
    look: Look = Look.PLAIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What the owner sees at once.

    Attributes:
        content: plain text above the embeds; the only part that a notification on a telephone shows.
        embeds: at most ten.
        buttons: at most five, in one row.
    """

    content: str = ""
    embeds: tuple[discord.Embed, ...] = ()
    buttons: tuple[Button, ...] = ()

    @property
    def digest(self) -> str:
        """The same for cards that look the same; the time in an embed's corner does not count."""
        embeds = [{key: value for key, value in e.to_dict().items() if key != "timestamp"} for e in self.embeds]
        return hashlib.sha256(repr((self.content, embeds, self.buttons)).encode()).hexdigest()


def payload_of(card: Card, *, nonce: str = "", is_silent: bool = False) -> Payload:
    """The body of the request.

    Args:
        card: what to show; cut where it is over a limit of Discord.
        nonce: a second message with the same nonce within minutes is not made; empty for edits and answers.
        is_silent: whether it makes no sound where it arrives.
    """
    payload: Payload = {
        "content": card.content[:MAX_CONTENT_CHARACTERS],
        "embeds": [embed.to_dict() for embed in within_limits(card.embeds)],
        "components": _rows(card.buttons),
        # Nothing may ping anybody, whatever the text holds.
        "allowed_mentions": {"parse": []},
    }
    if nonce:
        payload |= {"nonce": nonce, "enforce_nonce": True}
    if is_silent:
        payload["flags"] = _SUPPRESS_NOTIFICATIONS
    return payload


def within_limits(embeds: Sequence[discord.Embed]) -> list[discord.Embed]:
    """Copies of the first ten embeds; the last fields and the ends of long texts are cut off where that is needed."""
    kept = [embed.copy() for embed in embeds[:MAX_EMBEDS]]
    share = MAX_EMBED_CHARACTERS // max(1, len(kept))
    is_over = sum(_size(embed) for embed in kept) > MAX_EMBED_CHARACTERS
    for embed in kept if is_over else ():
        while embed.fields and _size(embed) > share:
            embed.remove_field(len(embed.fields) - 1)
        surplus = _size(embed) - share
        if surplus > 0 and embed.description:
            embed.description = _shortened(embed.description, len(embed.description) - surplus)
    return kept


def field(embed: discord.Embed, name: str, value: str, *, is_inline: bool = True) -> None:
    """Add a field, unless it says nothing or there are 25 already."""
    if value and len(embed.fields) < MAX_FIELDS:
        embed.add_field(name=name[:256], value=value[:1024], inline=is_inline)


def _shortened(text: str, limit: int) -> str:
    kept = text[: max(0, limit - 1)]
    num_trailing = len(kept) - len(kept.rstrip("\\"))
    return f"{kept[:-1] if num_trailing % 2 else kept}…"


def _size(embed: discord.Embed) -> int:
    """Characters as UTF-16 counts them, which is never less than what Discord counts."""
    texts = [embed.title, embed.description, embed.footer.text, embed.author.name]
    texts += [text for entry in embed.fields for text in (entry.name, entry.value)]
    return sum(len(text.encode("utf-16-le")) // 2 for text in texts if text)


def _rows(buttons: Sequence[Button]) -> list[Mapping[str, object]]:
    if not buttons:
        return []
    row = [
        {"type": _BUTTON, "style": int(button.look), "label": button.label, "custom_id": button.custom_id}
        for button in buttons[:_BUTTONS_A_ROW]
    ]
    return [{"type": _ROW, "components": row}]
