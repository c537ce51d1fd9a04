"""What an error of Discord means for the one who sends: later, never, or not before somebody acts. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp
import discord

from notifier.sinks import SinkRefused, SinkShut, SinkUnavailable

UNKNOWN_CHANNEL, UNKNOWN_MESSAGE = 10003, 10008
OPENING_TOO_FAST = 40003
CANNOT_SEND, NO_MUTUAL_SERVER = 50007, 50278
NO_LOGIN_CLOSE, BAD_INTENTS_CLOSE = 4004, 4014

NO_LOGIN = (
    "reset the bot's token in the Discord developer portal (Bot, Reset Token), set it as notifier.discord.token or "
    "DISCORD_TOKEN, and start the notifier again"
)
BAD_INTENTS = (
    "Discord refuses what the bot asks to hear; it asks for nothing, so check in the developer portal (Bot) that the "
    "application is a bot and not quarantined, and start the notifier again"
)
NO_WAY_TO_OWNER = (
    "make a private server, and invite the bot to it with scopes bot + applications.commands, no permissions; then "
    "allow direct messages from that server's members"
)
SHUT_OUT = "Discord refuses this bot: see its application in the developer portal, and whether this address is blocked"

Trouble = SinkUnavailable | SinkRefused | SinkShut


class MessageGone(Exception):
    """The message to be edited does not exist any more."""


def trouble_of(error: Exception, *, now: datetime) -> Trouble | MessageGone:
    """Put an error of the library into the words of a sink.

    Args:
        error: raised by a request of discord.py.
        now: of the wall clock, for a Retry-After that names a time.
    """
    if isinstance(error, SinkUnavailable | SinkRefused | SinkShut | MessageGone):
        return error
    if isinstance(error, discord.RateLimited):
        return SinkUnavailable("Discord asks to wait", retry_after_seconds=error.retry_after)
    if isinstance(error, discord.LoginFailure):
        return SinkShut("Discord does not know the token", remedy=NO_LOGIN)
    if isinstance(error, discord.HTTPException):
        return _of_answer(error, now)
    if isinstance(error, aiohttp.ClientConnectorError):
        return SinkUnavailable(f"no connection to Discord: {type(error).__name__}")
    if isinstance(error, OSError | aiohttp.ClientError):
        return SinkUnavailable(f"no answer from Discord: {type(error).__name__}", may_have_arrived=True)
    # discord.py reads answers without checking them: one that is not as it should be ends in any error at all.
    return SinkUnavailable(f"an answer of Discord cannot be read: {type(error).__name__}", may_have_arrived=True)


def shut_by_gateway(error: Exception) -> SinkShut | None:
    """Why the bot must not try to connect again; None when it may."""
    if isinstance(error, SinkShut):
        return error
    if isinstance(error, discord.PrivilegedIntentsRequired):
        return SinkShut("Discord closed the connection: 4014, disallowed intents", remedy=BAD_INTENTS)
    if isinstance(error, discord.LoginFailure):
        return SinkShut("Discord does not know the token", remedy=NO_LOGIN)
    if isinstance(error, discord.ConnectionClosed) and error.code == NO_LOGIN_CLOSE:
        return SinkShut("Discord closed the connection: 4004, authentication failed", remedy=NO_LOGIN)
    if isinstance(error, discord.HTTPException) and error.status == 401:
        return SinkShut("Discord does not accept the token any more", remedy=NO_LOGIN)
    return None


def is_for_good(shut: SinkShut) -> bool:
    """Whether only a new start with other settings can help."""
    return shut.remedy in {NO_LOGIN, BAD_INTENTS}


def _of_answer(error: discord.HTTPException, now: datetime) -> Trouble | MessageGone:
    status, code = error.status, error.code
    what = f"Discord answered {status}" + (f", code {code}" if code else "")
    if status == 429 or code == OPENING_TOO_FAST:
        return SinkUnavailable(what, retry_after_seconds=retry_after_seconds(error.response.headers, now))
    if status == 401:
        return SinkShut(what, remedy=NO_LOGIN)
    if status == 403:
        return SinkShut(what, remedy=NO_WAY_TO_OWNER if code in {CANNOT_SEND, NO_MUTUAL_SERVER} else SHUT_OUT)
    if code == UNKNOWN_MESSAGE:
        return MessageGone(what)
    if status >= 500 or status == 404:
        # 404: the channel; it is opened again before the next try.
        return SinkUnavailable(what, may_have_arrived=status >= 500)
    return SinkRefused(what)


def retry_after_seconds(headers: Mapping[str, str], now: datetime) -> float | None:
    """What the header Retry-After asks for: seconds, or a time; None without one that can be read."""
    text = headers.get("Retry-After", "")
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds())
