"""The fake Discord as the real discord.py finds it: what the library does with it is what it does with Discord."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import discord
import pytest

from headway.testing.discord import faults
from headway.testing.discord.commands import BadLine
from headway.testing.discord.gateway import CloseCode
from headway.testing.discord.interaction import NotAnswered, ResponseKind
from headway.testing.discord.server import FakeDiscord, fake_discord
from headway.testing.discord.traffic import Rate
from headway.testing.eventually import eventually
from tests.contract.discord_client import SmallBot, logged_in, pointed_at

LONG = 20.0


@pytest.fixture
async def fake() -> AsyncIterator[FakeDiscord]:
    async with fake_discord() as running:
        yield running


@pytest.fixture
async def bot(fake: FakeDiscord) -> AsyncIterator[SmallBot]:
    async with logged_in(fake) as running:
        yield running


# --- Login and commands ----------------------------------------------------------------------------------------------


async def test_the_library_logs_in_and_registers_its_commands(fake: FakeDiscord, bot: SmallBot) -> None:
    assert bot.user is not None
    assert str(bot.user.id) == fake.bot.id
    assert bot.application_id == int(fake.bot.id)
    assert [command.name for command in fake.commands] == ["trainer"]
    assert [command.name for command in await bot.tree.fetch_commands()] == ["trainer"]
    assert fake.gateway.counters.identifies == 1


async def test_a_command_is_answered_at_once(fake: FakeDiscord, bot: SmallBot) -> None:
    answer = await (await fake.invoke("/trainer ping")).answer(LONG)
    assert answer.content == "pong"
    assert not answer.is_ephemeral
    assert fake.messages == (answer,)
    assert fake.pushed == ()


async def test_a_deferred_answer_is_waited_for_and_its_privacy_kept(fake: FakeDiscord, bot: SmallBot) -> None:
    interaction = await fake.invoke("/trainer status run:iris-1")
    assert await interaction.responded(LONG) is ResponseKind.DEFERRED_MESSAGE
    answer = await interaction.answer(LONG)
    assert (answer.content, answer.is_ephemeral, answer.num_edits) == ("run iris-1", True, 0)
    assert await eventually(lambda: [one.content for one in interaction.follow_ups]) == ["and more"]


async def test_a_private_answer_is_known_to_its_interaction_alone(fake: FakeDiscord, bot: SmallBot) -> None:
    answer = await (await fake.invoke("/trainer status run:iris-1")).answer(LONG)
    channel = await bot.owner_dm(fake)
    with pytest.raises(discord.NotFound):
        await channel.fetch_message(int(answer.id))
    assert int(answer.id) not in [one.id async for one in channel.history()]


async def test_values_may_be_typed_in_order(fake: FakeDiscord, bot: SmallBot) -> None:
    assert (await (await fake.invoke("/trainer status wine-1")).answer(LONG)).content == "run wine-1"


async def test_autocomplete_offers_what_the_bot_offers(fake: FakeDiscord, bot: SmallBot) -> None:
    assert [one.value for one in await fake.autocomplete("/trainer status run:iris")] == ["iris-1", "iris-2"]


async def test_a_press_changes_the_message_that_it_is_on(fake: FakeDiscord, bot: SmallBot) -> None:
    asked = await (await fake.invoke("/trainer ping")).answer(LONG)
    looked = await (await fake.press(asked, "look")).answer(LONG)
    assert (looked.id, looked.content) == (asked.id, "looked")
    pressed = await (await fake.press(asked, "cancel")).answer(LONG)
    assert (pressed.id, pressed.content, pressed.buttons) == (asked.id, "sure?", ())
    with pytest.raises(BadLine, match="no button"):
        await fake.press(asked, "cancel")


async def test_who_asks_and_where_is_told_as_discord_tells_it(fake: FakeDiscord, bot: SmallBot) -> None:
    await fake.invoke("/trainer ping")
    await fake.invoke("/trainer ping", by=fake.stranger)
    await fake.invoke("/trainer ping", by=fake.impostor)
    await fake.invoke("/trainer ping", in_guild=True)
    await eventually(lambda: len(bot.heard) == 4, timeout_seconds=LONG)
    owner, stranger, impostor, guild = bot.heard
    assert (owner.user.id, owner.guild_id, owner.context.dm_channel) == (fake.owner_id, None, True)
    assert (stranger.user.id, stranger.guild_id) == (int(fake.stranger.id), None)
    assert (impostor.user.name, impostor.user.bot) == (owner.user.name, True)
    assert (guild.user.id, guild.context.guild) == (fake.owner_id, True)
    assert isinstance(guild.user, discord.Member)
    assert isinstance(owner.channel, discord.DMChannel)


async def test_a_replayed_interaction_has_the_same_id_and_is_answered_once(fake: FakeDiscord, bot: SmallBot) -> None:
    interaction = await fake.invoke("/trainer ping")
    await interaction.answer(LONG)
    await fake.replay(interaction)
    # The small bot answers again, and is told that this was acknowledged before.
    await eventually(lambda: interaction.num_responses == 2, timeout_seconds=LONG)
    assert len({one.id for one in bot.heard}) == 1
    assert len(fake.messages) == 1


async def test_an_answer_that_does_not_come_is_missed(fake: FakeDiscord, bot: SmallBot) -> None:
    fake.faults.add("POST", "/interactions/*", faults.error(404, 10062))
    interaction = await fake.invoke("/trainer ping")
    with pytest.raises(NotAnswered, match="did not respond"):
        await interaction.answer(0.5)


# --- Messages --------------------------------------------------------------------------------------------------------


async def test_a_message_is_seen_as_it_was_sent_and_edited(fake: FakeDiscord, bot: SmallBot) -> None:
    channel = await bot.owner_dm(fake)
    embed = discord.Embed(title="Started", colour=0x5865F2, description="**iris**").add_field(name="a", value="b")
    sent = await channel.send("hello", embed=embed.set_footer(text="foot"), silent=True)
    (message,) = fake.pushed
    assert (message.content, message.is_silent, message.num_edits) == ("hello", True, 0)
    assert (message.embeds[0].title, message.embeds[0].color) == ("Started", 0x5865F2)
    assert message.text == "hello\nStarted\n**iris**\na\nb\nfoot"

    await sent.edit(content="bye")
    (message,) = fake.pushed
    assert (message.content, message.num_edits) == ("bye", 1)
    assert message.embeds[0].title == "Started"

    assert (await channel.fetch_message(sent.id)).content == "bye"
    assert [one.id async for one in channel.history()] == [sent.id]
    await sent.delete()
    assert fake.pushed == ()


async def test_a_nonce_that_is_enforced_makes_one_message(fake: FakeDiscord, bot: SmallBot) -> None:
    """F49: what a killed notifier sends again is there once."""
    channel = await bot.owner_dm(fake)
    first = await channel.send("done", nonce="abc")
    again = await channel.send("done", nonce="abc")
    other = await channel.send("done", nonce="abd")
    assert first.id == again.id != other.id
    assert [message.nonce for message in fake.pushed] == ["abc", "abd"]


@pytest.mark.parametrize(
    ("words", "embeds", "where"),
    [
        ("x" * 2001, [], "content"),
        ("", [discord.Embed(description="x" * 4097)], "description"),
        ("", [discord.Embed(description="x" * 3001), discord.Embed(description="x" * 3000)], "embeds"),
        ("", [discord.Embed(title="x" * 257)], "title"),
    ],
)
async def test_what_is_over_a_limit_is_refused(
    fake: FakeDiscord, bot: SmallBot, words: str, embeds: list[discord.Embed], where: str
) -> None:
    channel = await bot.owner_dm(fake)
    with pytest.raises(discord.HTTPException, match=where) as caught:
        await channel.send(words, embeds=embeds)
    assert (caught.value.status, caught.value.code) == (400, 50035)
    assert fake.messages == ()


async def test_what_would_ping_is_seen(fake: FakeDiscord, bot: SmallBot) -> None:
    """P31: no message may ping."""
    channel = await bot.owner_dm(fake)
    await channel.send("@everyone <@1>")
    await channel.send("@everyone <@1>", allowed_mentions=discord.AllowedMentions.none())
    assert [message.pings for message in fake.messages] == [("@everyone", "<@1>"), ()]


# --- REST faults: F50, F51 -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_global", [False, True])
async def test_the_library_waits_as_a_429_says_and_tries_again(
    fake: FakeDiscord, bot: SmallBot, is_global: bool
) -> None:
    channel = await bot.owner_dm(fake)
    fault = fake.faults.add("POST", "/channels/*/messages", faults.rate_limited(0.3, is_global=is_global))
    await channel.send("at last")
    refused, taken = [one for one in fake.traffic.records if one.path.endswith("/messages")]
    assert (refused.status, taken.status, fault.num_hits) == (429, 200, 1)
    assert taken.time - refused.time >= 0.3
    assert fake.traffic.num_invalid == 1


async def test_rates_are_held_with_headers_that_the_library_heeds(bot_limits: tuple[FakeDiscord, SmallBot]) -> None:
    fake, bot = bot_limits
    channel = await bot.owner_dm(fake)
    for number in range(5):
        await channel.send(str(number))
    times = [one.time for one in fake.traffic.records if one.path.endswith("/messages")]
    assert times[4] - times[0] >= 1.0
    assert fake.traffic.num_invalid == 0


@pytest.fixture
async def bot_limits() -> AsyncIterator[tuple[FakeDiscord, SmallBot]]:
    async with fake_discord(rate=Rate(2, 0.6)) as fake, logged_in(fake) as bot:
        yield fake, bot


async def test_a_ban_and_a_page_of_html_are_errors_that_carry_no_json(fake: FakeDiscord, bot: SmallBot) -> None:
    channel = await bot.owner_dm(fake)
    fake.faults.add("POST", "/channels/*/messages", faults.banned(600))
    with pytest.raises(discord.HTTPException, match="cloudflare") as caught:
        await channel.send("x")
    assert caught.value.status == 429
    fake.faults.add("POST", "/channels/*/messages", faults.html(503))
    with pytest.raises(discord.DiscordServerError, match="cloudflare"):
        await channel.send("x")


async def test_a_fault_of_the_server_is_tried_again(fake: FakeDiscord, bot: SmallBot) -> None:
    channel = await bot.owner_dm(fake)
    fake.faults.add("POST", "/channels/*/messages", faults.empty(500))
    await channel.send("x")
    fake.faults.add("POST", "/channels/*/messages", faults.server_error(503))
    with pytest.raises(discord.DiscordServerError):
        await channel.send("x")
    assert fake.traffic.count("POST", "/channels/*/messages") == 3


@pytest.mark.parametrize(("code", "words"), [(50278, "no mutual guilds"), (50007, "Cannot send messages")])
async def test_a_closed_door_is_forbidden_with_discords_code(
    fake: FakeDiscord, bot: SmallBot, code: int, words: str
) -> None:
    channel = await bot.owner_dm(fake)
    fake.faults.add("POST", "/channels/*/messages", faults.error(403, code))
    with pytest.raises(discord.Forbidden, match=words) as caught:
        await channel.send("x")
    assert caught.value.code == code


async def test_an_answer_that_is_lost_leaves_its_message(fake: FakeDiscord, bot: SmallBot) -> None:
    channel = await bot.owner_dm(fake)
    fake.faults.add("POST", "/channels/*/messages", faults.Drop(is_carried_out=True))
    with pytest.raises(aiohttp.ClientError):
        await channel.send("x", nonce="1")
    await channel.send("x", nonce="1")
    assert len(fake.pushed) == 1
    fake.faults.add("POST", "/channels/*/messages", faults.Drop())
    with pytest.raises(aiohttp.ClientError):
        await channel.send("y", nonce="2")
    assert len(fake.pushed) == 1


async def test_a_request_hangs_until_it_is_let_go(fake: FakeDiscord, bot: SmallBot) -> None:
    channel = await bot.owner_dm(fake)
    fault = fake.faults.add("POST", "/channels/*/messages", faults.Hang())
    sending = asyncio.create_task(channel.send("x"))
    await eventually(lambda: fault.num_hits)
    assert not sending.done()
    fake.faults.clear()
    with pytest.raises(aiohttp.ClientError):
        await sending


async def test_nobody_listens_in_an_outage_and_all_is_known_after_it(fake: FakeDiscord, bot: SmallBot) -> None:
    channel = await bot.owner_dm(fake)
    await channel.send("before")
    async with fake.outage():
        with pytest.raises(aiohttp.ClientConnectorError):
            await channel.send("during")
    await fake.gateway.wait_connected(60)
    await channel.send("after")
    assert [message.content for message in fake.pushed] == ["before", "after"]


@pytest.mark.parametrize("token", ["", "wrong"])
async def test_a_bad_token_is_refused(fake: FakeDiscord, token: str) -> None:
    bot = SmallBot()
    async with pointed_at(fake), bot:
        with pytest.raises(discord.LoginFailure):
            await bot.start(token)
    assert fake.traffic.num_invalid == 1


# --- Gateway faults: F52 ---------------------------------------------------------------------------------------------


async def test_what_is_said_while_the_connection_is_away_is_heard_after_it(fake: FakeDiscord, bot: SmallBot) -> None:
    fake.gateway.drop()
    interaction = await fake.invoke("/trainer ping")
    await eventually(lambda: bot.num_resumed, timeout_seconds=LONG)
    await interaction.answer(LONG)
    assert (fake.gateway.counters.identifies, fake.gateway.counters.resumes) == (1, 1)


async def test_an_order_to_reconnect_is_followed_with_a_resume(fake: FakeDiscord, bot: SmallBot) -> None:
    await fake.gateway.reconnect()
    await eventually(lambda: bot.num_resumed, timeout_seconds=LONG)
    assert (await (await fake.invoke("/trainer ping")).answer(LONG)).content == "pong"
    assert fake.gateway.counters.identifies == 1


async def test_a_session_that_is_invalid_for_now_is_resumed(fake: FakeDiscord, bot: SmallBot) -> None:
    await fake.gateway.invalidate(is_resumable=True)
    await eventually(lambda: bot.num_resumed, timeout_seconds=LONG)


async def test_a_session_that_is_invalid_for_good_is_begun_anew(fake: FakeDiscord, bot: SmallBot) -> None:
    await fake.gateway.invalidate(is_resumable=False)
    await eventually(lambda: fake.gateway.counters.identifies == 2, timeout_seconds=LONG)
    await fake.gateway.wait_connected()
    assert (await (await fake.invoke("/trainer ping")).answer(LONG)).content == "pong"


@pytest.mark.parametrize("code", [CloseCode.UNKNOWN_ERROR, CloseCode.SESSION_TIMED_OUT, 1000])
async def test_a_close_that_can_be_mended_is_resumed(fake: FakeDiscord, bot: SmallBot, code: int) -> None:
    await fake.gateway.close(code)
    await eventually(lambda: bot.num_resumed, timeout_seconds=LONG)


async def test_a_session_that_is_forgotten_is_begun_anew(fake: FakeDiscord, bot: SmallBot) -> None:
    fake.gateway.is_forgetful = True
    fake.gateway.drop()
    await eventually(lambda: fake.gateway.counters.identifies == 2, timeout_seconds=LONG)


@pytest.mark.parametrize("code", [CloseCode.AUTHENTICATION_FAILED, CloseCode.DISALLOWED_INTENTS])
async def test_a_close_for_good_ends_the_library(fake: FakeDiscord, code: CloseCode) -> None:
    fake.gateway.refuse_with = code
    bot = SmallBot()
    async with pointed_at(fake), bot:
        with pytest.raises((discord.ConnectionClosed, discord.PrivilegedIntentsRequired)):
            await bot.start(fake.token)
    assert fake.gateway.counters.connections == 1


async def test_privileged_intents_are_disallowed_unasked(fake: FakeDiscord) -> None:
    async with pointed_at(fake), discord.Client(intents=discord.Intents.all()) as client:
        with pytest.raises(discord.PrivilegedIntentsRequired):
            await client.start(fake.token)


async def test_heartbeats_without_an_answer_make_the_library_come_again(fake: FakeDiscord) -> None:
    fake.gateway.heartbeat_seconds = 0.1
    async with logged_in(fake) as bot:
        bot._connection.heartbeat_timeout = 0.3
        fake.gateway.is_acking = False
        await fake.gateway.reconnect()
        await eventually(lambda: fake.gateway.counters.connections >= 3, timeout_seconds=LONG)
        fake.gateway.is_acking = True
        await fake.gateway.wait_connected()


async def test_a_replayed_sequence_is_heard_again(fake: FakeDiscord, bot: SmallBot) -> None:
    interaction = await fake.invoke("/trainer ping")
    await interaction.answer(LONG)
    await fake.gateway.replay()
    await eventually(lambda: len(bot.heard) == 2, timeout_seconds=LONG)
    assert bot.heard[0].id == bot.heard[1].id
