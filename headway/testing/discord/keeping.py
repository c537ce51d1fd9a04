"""What a fake Discord knows, kept in a file: Discord does not forget commands and messages when it is started again."""

import os
from pathlib import Path

from pydantic import ValidationError

from headway.testing.discord.commands import Command
from headway.testing.discord.payloads import Message, Payload, User

MAX_KEPT_MESSAGES = 500


class Kept(Payload):
    """Everything that outlives the process.

    Attributes:
        bot: the application's user; so is the rest of who there is.
        channels: the bot's direct channel with each user id.
        commands: that are registered.
        messages: the newest ones, oldest first.
    """

    bot: User
    owner: User
    stranger: User
    impostor: User
    guild_id: str
    guild_channel_id: str
    channels: dict[str, str]
    commands: tuple[Command, ...] = ()
    messages: tuple[Message, ...] = ()


def read_kept(path: Path, owner_id: str) -> Kept | None:
    """What was kept for this owner; None where there is nothing, or nothing that can be read."""
    try:
        kept = Kept.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
    return kept if kept.owner.id == owner_id else None


def write_kept(path: Path, kept: Kept) -> None:
    """Keep it, whole or not at all, for this user only."""
    draft = path.with_suffix(".draft")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(kept.model_dump_json(exclude_unset=True).encode())
    draft.replace(path)
