"""Speaks with the control API of a fake Discord."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from aiohttp import ClientError, ClientSession, ClientTimeout
from pydantic import JsonValue, ValidationError

from headway.cli.owner_dm.shown import Answer, Change, Offer, Offers, Refusal, Shown, State
from headway.cli.stack.services import FAKE_DISCORD
from headway.client.locate import running_address
from headway.contract.errors import Code, HeadwayError

ANSWER_SECONDS = 15.0
"""How long a person waits for the bot."""
ALL_MESSAGES = 100_000
"""More than a fake Discord remembers."""
_MARGIN_SECONDS = 10.0
_MAX_LINE_BYTES = 1024 * 1024

S = TypeVar("S", bound=Shown)


class NoFakeDiscord(HeadwayError):
    """There is no simulated Discord to open."""

    reason = "NO_FAKE_DISCORD"
    code = Code.UNAVAILABLE


class BotAway(HeadwayError):
    """The bot is not connected."""

    reason = "NOT_CONNECTED"
    code = Code.UNAVAILABLE


class BotSilent(HeadwayError):
    """The bot did not answer in time."""

    reason = "NOT_ANSWERED"
    code = Code.DEADLINE_EXCEEDED


class LineRefused(HeadwayError):
    """Discord would not send what was typed."""

    reason = "BAD_LINE"
    code = Code.INVALID_ARGUMENT


class ControlClient:
    """A connection to one fake Discord; the caller closes the session."""

    def __init__(self, session: ClientSession, home: Path) -> None:
        self._session = session
        self._home = home

    async def state(self) -> State:
        """The conversation so far, the commands, and whether the bot is there."""
        return await self._call("GET", "state", None, State)

    async def invoke(self, line: str) -> Answer:
        """Type a command; waits for the answer.

        Raises:
            LineRefused: there is no such command, or a value is missing.
            BotAway: no bot is connected.
            BotSilent: it did not answer in time.
        """
        return await self._call("POST", "invoke", {"line": line, "timeout_seconds": ANSWER_SECONDS}, Answer)

    async def press(self, number: int) -> Answer:
        """Press a button of the newest message that has any; raises as `invoke` does."""
        return await self._call("POST", "press", {"button": number, "timeout_seconds": ANSWER_SECONDS}, Answer)

    async def offers(self, line: str) -> tuple[Offer, ...]:
        """What the bot offers for the last value of a line; raises as `invoke` does."""
        found = await self._call("POST", "autocomplete", {"line": line}, Offers)
        return found.choices

    async def changes(self, *, num_past: int) -> AsyncGenerator[Change, None]:
        """The newest messages, and then everything that happens, until the caller leaves.

        Args:
            num_past: how many of the messages that are there already.

        Raises:
            NoFakeDiscord: it has gone.
        """
        timeout = ClientTimeout(total=None, sock_connect=_MARGIN_SECONDS)
        try:
            async with self._session.get(
                "/control/changes", params={"past": str(num_past)}, timeout=timeout
            ) as response:
                if response.status != 200:
                    raise refusal_of(await response.read(), self._home)
                while line := await response.content.readuntil(b"\n"):
                    yield Change.model_validate_json(line)
        except (ClientError, TimeoutError, ValidationError) as error:
            raise _gone(self._home) from error
        raise _gone(self._home)

    async def _call(self, method: str, path: str, body: JsonValue, model: type[S]) -> S:
        timeout = ClientTimeout(total=ANSWER_SECONDS + _MARGIN_SECONDS)
        try:
            async with self._session.request(method, f"/control/{path}", json=body, timeout=timeout) as response:
                content = await response.read()
                if response.status != 200:
                    raise refusal_of(content, self._home)
                return model.model_validate_json(content)
        except (ClientError, TimeoutError, ValidationError) as error:
            raise _gone(self._home) from error


@asynccontextmanager
async def open_control(home: Path) -> AsyncGenerator[ControlClient, None]:
    """Connect to the fake Discord of a home folder; nothing is sent yet.

    Raises:
        NoFakeDiscord: none runs there.
    """
    address = running_address(home, FAKE_DISCORD)
    try:
        token = (home / "run" / f"{FAKE_DISCORD}.token").read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        token = ""
    if address is None or not token:
        raise _gone(home)
    headers = {"Authorization": f"Bot {token}"}
    async with ClientSession(f"http://{address}", headers=headers, read_bufsize=_MAX_LINE_BYTES) as session:
        yield ControlClient(session, home)


def refusal_of(content: bytes, home: Path) -> HeadwayError:
    """The error that an answer of the control API stands for."""
    try:
        refusal = Refusal.model_validate_json(content)
    except ValidationError:
        return _gone(home)
    if refusal.reason == BotAway.reason:
        return BotAway("the bot is not connected to the fake Discord; see logs/notifier.log in the home folder")
    if refusal.reason == BotSilent.reason:
        return BotSilent(f"{refusal.message}; see logs/notifier.log in the home folder")
    return LineRefused(refusal.message)


def _gone(home: Path) -> NoFakeDiscord:
    return NoFakeDiscord(f"no fake Discord runs on {home}; start one with `headway up --fake-discord`")
