"""Answers one interaction: says at once that the answer comes, and then what it is."""

from collections.abc import Awaitable

import aiohttp
import discord
from discord.http import Route

from headway.runtime.logs import get_logger
from notifier.discord.card import Card, payload_of
from notifier.discord.door import Caller

_log = get_logger(__name__)

_REQUEST_SECONDS = 10.0
_SORRY = "Something went wrong here; the log of the notifier says what."

OwnersInteraction = discord.Interaction[discord.Client]


def caller_of(interaction: OwnersInteraction) -> Caller:
    """Who sent it, and from where."""
    context = interaction.context
    # Without a user in the payload, discord.py leaves something here that is none.
    user: object = interaction.user
    person = user if isinstance(user, discord.User | discord.Member) else None
    return Caller(
        user_id=person.id if person is not None else 0,
        is_bot=person is None or person.bot,
        is_in_server=interaction.guild_id is not None or context.guild,
        is_direct=context.dm_channel and isinstance(interaction.channel, discord.DMChannel),
    )


async def reply(interaction: OwnersInteraction, answer: Awaitable[Card]) -> None:
    """Discord waits three seconds for the first word and a quarter of an hour for the rest.

    A fault of ours is told as such; one of Discord is logged, since there is nobody to tell.
    """
    try:
        await interaction.response.defer(thinking=True)
        card = await _composed(answer)
        route = Route(
            "PATCH",
            "/webhooks/{webhook_id}/{webhook_token}/messages/@original",
            webhook_id=interaction.application_id,
            webhook_token=interaction.token,
        )
        limit = aiohttp.ClientTimeout(total=_REQUEST_SECONDS)
        await interaction.client.http.request(route, json=payload_of(card), timeout=limit)
    except (discord.DiscordException, aiohttp.ClientError, OSError) as error:
        _log.warning("an answer did not reach the owner", why=type(error).__name__)


async def _composed(answer: Awaitable[Card]) -> Card:
    try:
        return await answer
    except Exception:  # noqa: BLE001 - the owner must not be left waiting, whatever it is
        _log.exception("no answer to a command")
        return Card(content=_SORRY)
