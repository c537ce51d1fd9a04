"""What Discord takes in a message, and refuses beyond it. Pure."""

import re
from collections.abc import Iterator

from headway.testing.discord.component_limits import component_faults
from headway.testing.discord.errors import ApiError, FieldFault, invalid_form
from headway.testing.discord.payloads import (
    FLAG_EPHEMERAL,
    FLAG_SUPPRESS_EMBEDS,
    FLAG_SUPPRESS_NOTIFICATIONS,
    AllowedMentions,
    Embed,
    Message,
    MessageBody,
)

MAX_CONTENT = 2000
MAX_EMBEDS = 10
MAX_EMBEDS_LENGTH = 6000
MAX_FIELDS = 25
MAX_NONCE = 25
_MAX_COLOR = 0xFFFFFF
_MAX_MENTIONED = 100
_FLAGS = FLAG_SUPPRESS_EMBEDS | FLAG_EPHEMERAL | FLAG_SUPPRESS_NOTIFICATIONS
_PARSED = frozenset({"everyone", "roles", "users"})
_MENTION = re.compile(r"@everyone|@here|<@!?(\d+)>|<@&(\d+)>")


def check_body(body: MessageBody, *, is_answer: bool = False) -> None:
    """Refuse what Discord refuses, and what only looks as if it worked.

    Args:
        body: as sent.
        is_answer: whether it answers an interaction; only an answer can be ephemeral.

    Raises:
        ApiError: 400 with the fields at fault.
    """
    faults = list(_faults(body))
    if not is_answer and (body.flags or 0) & FLAG_EPHEMERAL:
        # Discord ignores the flag here; whoever sets it expects what will not happen.
        faults.append(FieldFault(("flags",), "MESSAGE_FLAGS_INVALID", "Only an answer can be ephemeral."))
    if faults:
        raise invalid_form(faults)


def refuse_empty(message: Message) -> None:
    """Refuse a message without anything to see.

    Raises:
        ApiError: 400, code 50006.
    """
    if not (message.content or message.embeds or message.components):
        raise ApiError(400, 50006, "Cannot send an empty message")


def _faults(body: MessageBody) -> Iterator[FieldFault]:
    yield from _too_long(("content",), body.content, MAX_CONTENT)
    embeds = body.embeds or ()
    if len(embeds) > MAX_EMBEDS:
        yield FieldFault(("embeds",), "BASE_TYPE_MAX_LENGTH", f"Must be {MAX_EMBEDS} or fewer in length.")
    for number, embed in enumerate(embeds):
        yield from _embed_faults(("embeds", str(number)), embed)
    if sum(embed.length for embed in embeds) > MAX_EMBEDS_LENGTH:
        message = f"Embed size exceeds maximum size of {MAX_EMBEDS_LENGTH}"
        yield FieldFault(("embeds",), "MAX_EMBED_SIZE_EXCEEDED", message)
    yield from component_faults(("components",), body.components or ())
    if body.nonce is not None and len(str(body.nonce)) > MAX_NONCE:
        yield FieldFault(("nonce",), "NONCE_TYPE_TOO_LONG", f"Must be {MAX_NONCE} or fewer in length.")
    if (body.flags or 0) & ~_FLAGS:
        yield FieldFault(
            ("flags",), "MESSAGE_FLAGS_INVALID", "This flag cannot be set, or this double does not know it."
        )
    if body.allowed_mentions is not None:
        yield from _mention_faults(body.allowed_mentions)


def _embed_faults(path: tuple[str, ...], embed: Embed) -> Iterator[FieldFault]:
    yield from _too_long((*path, "title"), embed.title, 256)
    yield from _too_long((*path, "description"), embed.description, 4096)
    if embed.footer is not None:
        yield from _too_long((*path, "footer", "text"), embed.footer.text, 2048)
    if embed.author is not None:
        yield from _too_long((*path, "author", "name"), embed.author.name, 256)
    if not 0 <= (embed.color or 0) <= _MAX_COLOR:
        yield FieldFault((*path, "color"), "NUMBER_TYPE_MAX", f"int value should be between 0 and {_MAX_COLOR}.")
    if len(embed.fields) > MAX_FIELDS:
        yield FieldFault((*path, "fields"), "BASE_TYPE_MAX_LENGTH", f"Must be {MAX_FIELDS} or fewer in length.")
    for number, field in enumerate(embed.fields):
        inside = (*path, "fields", str(number))
        yield from _too_long((*inside, "name"), field.name, 256, is_needed=True)
        yield from _too_long((*inside, "value"), field.value, 1024, is_needed=True)


def _too_long(path: tuple[str, ...], text: str | None, limit: int, *, is_needed: bool = False) -> Iterator[FieldFault]:
    if text is not None and len(text) > limit:
        yield FieldFault(path, "BASE_TYPE_MAX_LENGTH", f"Must be {limit} or fewer in length.")
    if is_needed and not (text or "").strip():
        yield FieldFault(path, "BASE_TYPE_REQUIRED", "This field is required")


def _mention_faults(allowed: AllowedMentions) -> Iterator[FieldFault]:
    for number, word in enumerate(allowed.parse):
        if word not in _PARSED:
            path = ("allowed_mentions", "parse", str(number))
            yield FieldFault(path, "BASE_TYPE_CHOICES", f"Value must be one of {sorted(_PARSED)}.")
    for word, listed in (("users", allowed.users), ("roles", allowed.roles)):
        if word in allowed.parse and listed:
            message = f'parse:["{word}"] and {word}: [ids...] are mutually exclusive.'
            yield FieldFault(("allowed_mentions", word), "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", message)
        if len(listed or ()) > _MAX_MENTIONED:
            message = f"Must be {_MAX_MENTIONED} or fewer in length."
            yield FieldFault(("allowed_mentions", word), "BASE_TYPE_MAX_LENGTH", message)


def pings_of(content: str, allowed: AllowedMentions | None) -> tuple[str, ...]:
    """The mentions in a message's content that notify somebody; without `allowed_mentions`, that is all of them."""
    return tuple(found.group() for found in _MENTION.finditer(content) if _may_ping(found, allowed))


def _may_ping(found: "re.Match[str]", allowed: AllowedMentions | None) -> bool:
    if allowed is None:
        return True
    user, role = found.groups()
    if user:
        return "users" in allowed.parse or user in map(str, allowed.users or ())
    if role:
        return "roles" in allowed.parse or role in map(str, allowed.roles or ())
    return "everyone" in allowed.parse
