"""The control API over real HTTP, with a bot that is only a session."""

import asyncio
import json
from collections.abc import AsyncIterator

import aiohttp
import pytest

from headway.testing.discord import control
from headway.testing.discord.commands import BadLine
from headway.testing.discord.control import find_button
from headway.testing.discord.payloads import Component, Json, Message, MessageBody
from headway.testing.discord.server import FakeDiscord, fake_discord

BUTTONS = (Component(type=1, components=(Component(type=2, style=1, label="Go", custom_id="go"),)),)


@pytest.fixture
async def discord(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeDiscord]:
    monkeypatch.setattr(control, "PATIENCE_SECONDS", 0.05)
    async with fake_discord() as running:
        running._registry.replace([{"name": "ping", "description": "Ping"}])
        yield running


@pytest.fixture
async def http(discord: FakeDiscord) -> AsyncIterator[aiohttp.ClientSession]:
    headers = {"Authorization": f"Bot {discord.token}"}
    async with aiohttp.ClientSession(f"http://{discord.address}", headers=headers) as session:
        yield session


async def refused(http: aiohttp.ClientSession, path: str, body: Json) -> tuple[int, str]:
    async with http.post(f"/control/{path}", json=body) as response:
        return response.status, str((await response.json())["reason"])


def push(discord: FakeDiscord, content: str) -> Message:
    return discord._conversation.create(discord.owner_channel_id, MessageBody(content=content, components=BUTTONS))


@pytest.mark.parametrize("path", ["state", "changes"])
async def test_nobody_reads_without_the_token(discord: FakeDiscord, path: str) -> None:
    push(discord, "private")
    async with (
        aiohttp.ClientSession(f"http://{discord.address}", headers={"Authorization": "Bot x"}) as session,
        session.get(f"/control/{path}") as response,
    ):
        assert response.status == 401
        assert "private" not in await response.text()


async def test_the_state_is_the_conversation_the_commands_and_the_bot(
    discord: FakeDiscord, http: aiohttp.ClientSession
) -> None:
    push(discord, "hello")
    async with http.get("/control/state") as response:
        state = await response.json()
    assert state["is_connected"] is False
    assert state["commands"] == [{"usage": "/ping", "description": "Ping"}]
    assert [message["content"] for message in state["messages"]] == ["hello"]


async def test_what_cannot_be_done_is_refused_with_a_reason(discord: FakeDiscord, http: aiohttp.ClientSession) -> None:
    assert await refused(http, "invoke", {"line": "/ping"}) == (409, "NOT_CONNECTED")
    assert await refused(http, "press", {"button": 1}) == (400, "BAD_LINE")
    assert await refused(http, "press", {"unknown": 1}) == (400, "BAD_LINE")
    push(discord, "hello")
    assert await refused(http, "press", {"button": 1}) == (409, "NOT_CONNECTED")


async def test_a_bot_that_says_nothing_is_told_after_the_time_given(
    discord: FakeDiscord, http: aiohttp.ClientSession
) -> None:
    async with aiohttp.ClientSession() as session, session.ws_connect(discord.gateway_url) as socket:
        await socket.receive_json()
        await socket.send_json({"op": 2, "d": {"token": discord.token, "intents": 0}})
        await discord.gateway.wait_connected()
        asked: Json = {"line": "/ping", "timeout_seconds": 0.05}
        assert await refused(http, "invoke", asked) == (504, "NOT_ANSWERED")


async def test_changes_are_lines_the_past_first(discord: FakeDiscord, http: aiohttp.ClientSession) -> None:
    push(discord, "long before")
    push(discord, "before")
    stranger = discord._world.channel_of(discord.stranger)
    async with asyncio.timeout(20), http.get("/control/changes", params={"past": "1"}) as response:
        lines = [json.loads(await response.content.readline()) for _ in range(2)]
        assert [line["kind"] for line in lines] == ["created", "disconnected"]
        assert lines[0]["message"]["content"] == "before"

        discord._conversation.create(stranger, MessageBody(content="not the owner's"))
        push(discord, "after")
        line = json.loads(await response.content.readline())
        assert (line["kind"], line["message"]["content"]) == ("created", "after")


def test_a_number_is_a_button_of_the_newest_message_that_has_one_to_press() -> None:
    off = (Component(type=1, components=(Component(type=2, style=1, label="Go", custom_id="old", disabled=True),)),)
    pressable = Message(id="1", channel_id="1", create_time="", components=BUTTONS)
    disabled = pressable.changed(id="2", components=off)
    plain = pressable.changed(id="3", components=())
    assert find_button((pressable, disabled, plain), 1) == ("1", "go")
    for messages, number in [((pressable,), 2), ((pressable,), 0), ((plain, disabled), 1), ((), 1)]:
        with pytest.raises(BadLine):
            find_button(messages, number)
