"""The gateway against a client that misbehaves; the real one is in tests/contract/test_fake_discord.py."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from headway.testing.discord.gateway import CloseCode, NotConnected
from headway.testing.discord.server import FakeDiscord, fake_discord


@pytest.fixture
async def discord() -> AsyncIterator[FakeDiscord]:
    async with fake_discord() as running:
        yield running


@asynccontextmanager
async def greeted(discord: FakeDiscord) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """A connection that was said hello to."""
    async with aiohttp.ClientSession() as session, session.ws_connect(discord.gateway_url) as socket:
        assert (await socket.receive_json())["op"] == 10
        yield socket


async def closed_with(socket: aiohttp.ClientWebSocketResponse) -> int | None:
    while (await socket.receive(timeout=20)).type is aiohttp.WSMsgType.TEXT:
        pass
    return socket.close_code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("no json", CloseCode.DECODE_ERROR),
        ("[]", CloseCode.DECODE_ERROR),
        ('{"op": "2"}', CloseCode.DECODE_ERROR),
        ('{"op": 99}', CloseCode.UNKNOWN_OPCODE),
        ('{"op": 3, "d": {}}', CloseCode.NOT_AUTHENTICATED),
        ('{"op": 2, "d": {"token": "wrong", "intents": 0}}', CloseCode.AUTHENTICATION_FAILED),
    ],
)
async def test_what_is_no_word_of_the_protocol_closes_the_connection(
    discord: FakeDiscord, text: str, code: CloseCode
) -> None:
    async with greeted(discord) as socket:
        await socket.send_str(text)
        assert await closed_with(socket) == code
    assert not discord.gateway.is_connected


async def test_nobody_identifies_twice(discord: FakeDiscord) -> None:
    async with greeted(discord) as socket:
        for _ in range(2):
            await socket.send_json({"op": 2, "d": {"token": discord.token, "intents": 0}})
        assert await closed_with(socket) == CloseCode.ALREADY_AUTHENTICATED


async def test_a_session_from_the_future_is_refused(discord: FakeDiscord) -> None:
    async with greeted(discord) as socket:
        await socket.send_json({"op": 2, "d": {"token": discord.token, "intents": 0}})
        session = (await socket.receive_json())["d"]["session_id"]
    async with greeted(discord) as socket:
        await socket.send_json({"op": 6, "d": {"token": discord.token, "session_id": session, "seq": 99}})
        assert await closed_with(socket) == CloseCode.INVALID_SEQ


async def test_nothing_can_be_said_to_nobody(discord: FakeDiscord) -> None:
    with pytest.raises(NotConnected):
        await discord.gateway.dispatch("MESSAGE_CREATE", {})
    with pytest.raises(NotConnected):
        await discord.gateway.replay()
    with pytest.raises(NotConnected):
        await discord.gateway.wait_connected(0.01)
