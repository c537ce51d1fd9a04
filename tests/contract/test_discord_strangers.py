"""P31, F-3: whoever is not the owner in direct messages gets no answer at all, and is counted."""

from datetime import UTC, datetime

import pytest

from headway.testing.discord.interaction import Interaction
from headway.testing.discord.payloads import Json
from headway.testing.discord.server import FakeDiscord, fake_discord
from headway.testing.eventually import eventually
from headway.testing.memory_bus import MemoryBus
from notifier.discord.door import Refusal
from tests.contract.discord_life import BotLife
from tests.unit.notifier.doubles import a_running_job

LIMIT_SECONDS = 20.0


async def expect_silence(discord: FakeDiscord, life: BotLife, refusal: Refusal, number: int) -> None:
    """The bot has seen it, has counted it, and answers the owner behind it; nobody else was told anything."""
    await eventually(lambda: life.assembly.ears.door.ignored[refusal] == number, timeout_seconds=LIMIT_SECONDS)
    assert (await (await discord.invoke("/trainer runs")).answer(LIMIT_SECONDS)).text
    assert discord.guild_messages == ()
    assert discord.messages_of(discord.stranger) == ()
    assert discord.messages_of(discord.impostor) == ()


async def test_others_and_servers_hear_nothing(memory_bus: MemoryBus) -> None:
    async with fake_discord() as discord, BotLife.of(discord, memory_bus) as life:
        await discord.gateway.wait_connected()
        asked: list[Interaction] = [
            await discord.invoke("/trainer runs", by=discord.stranger),
            await discord.invoke("/trainer watch run:all", by=discord.stranger),
        ]
        await expect_silence(discord, life, Refusal.BY_A_STRANGER, 2)
        asked.append(await discord.invoke("/trainer runs", in_guild=True))
        await expect_silence(discord, life, Refusal.IN_A_SERVER, 1)
        asked.append(await discord.invoke("/trainer runs", by=discord.impostor))
        await expect_silence(discord, life, Refusal.BY_A_BOT, 1)
        assert [interaction.num_responses for interaction in asked] == [0] * 4


async def test_others_cannot_press_the_owners_buttons(memory_bus: MemoryBus) -> None:
    async with fake_discord() as discord, BotLife.of(discord, memory_bus, is_control_enabled=True) as life:
        await discord.gateway.wait_connected()
        job = a_running_job(datetime.now(UTC))
        life.gateway.put(job)
        status = await discord.invoke(f"/trainer status run:demo/{job.job.name.rpartition('/')[2]}")
        shown = await status.answer(LIMIT_SECONDS)
        for button in shown.buttons:
            await discord.press(shown, button.custom_id or "", by=discord.stranger)
        await expect_silence(discord, life, Refusal.BY_A_STRANGER, 2)
        await discord.press(shown, shown.buttons[0].custom_id or "", in_guild=True)
        await expect_silence(discord, life, Refusal.IN_A_SERVER, 1)
        assert life.gateway.count("pause") + life.gateway.count("cancel") == 0


@pytest.mark.parametrize("given", [200000000000000001, "200000000000000001", " 200000000000000001 "])
async def test_an_id_is_the_number_that_it_is(memory_bus: MemoryBus, given: int | str) -> None:
    """A stranger's id in any spelling, with the owner's name and nickname."""
    async with fake_discord() as discord, BotLife.of(discord, memory_bus) as life:
        await discord.gateway.wait_connected()
        interaction = await discord.invoke("/trainer runs")
        await interaction.answer(LIMIT_SECONDS)
        forged = forged_from(discord, interaction, user={**discord.owner.to_json(), "id": given})
        await discord.gateway.dispatch("INTERACTION_CREATE", forged)
        await expect_silence(discord, life, Refusal.BY_A_STRANGER, 1)
        assert discord.traffic.count("POST", "/interactions/*") == 2


async def test_a_group_and_an_unknown_place_are_no_direct_messages(memory_bus: MemoryBus) -> None:
    async with fake_discord() as discord, BotLife.of(discord, memory_bus) as life:
        await discord.gateway.wait_connected()
        interaction = await discord.invoke("/trainer runs")
        await interaction.answer(LIMIT_SECONDS)
        for context in (2, 7):
            forged = forged_from(discord, interaction, user=discord.owner.to_json(), context=context)
            await discord.gateway.dispatch("INTERACTION_CREATE", forged)
        await expect_silence(discord, life, Refusal.NOT_DIRECT, 2)


async def test_messages_are_no_commands(memory_bus: MemoryBus) -> None:
    """Written and edited ones, of the owner, of strangers, of a webhook with the owner's name."""
    async with fake_discord() as discord, BotLife.of(discord, memory_bus) as life:
        await discord.gateway.wait_connected()
        for event in ("MESSAGE_CREATE", "MESSAGE_UPDATE"):
            for author in (discord.owner, discord.stranger, discord.impostor):
                await discord.gateway.dispatch(event, a_message(author.to_json(), "/trainer cancel run:all"))
        await expect_silence(discord, life, Refusal.NO_COMMAND, 6)
        assert len(discord.pushed) == 0


def forged_from(discord: FakeDiscord, interaction: Interaction, *, user: Json, context: int = 1) -> Json:
    """An interaction that Discord did not make."""
    return {
        "id": str(int(interaction.id) + context),
        "application_id": discord.bot.id,
        "type": 2,
        "token": "forged",
        "version": 1,
        "data": interaction.data,
        "channel": {"id": interaction.channel_id, "type": 1, "recipients": [user]},
        "channel_id": interaction.channel_id,
        "locale": "en-US",
        "entitlements": [],
        "authorizing_integration_owners": {},
        "attachment_size_limit": 1,
        "app_permissions": "0",
        "context": context,
        "user": user,
    }


def a_message(author: Json, content: str) -> Json:
    return {
        "id": "300000000000000001",
        "channel_id": "300000000000000002",
        "author": author,
        "content": content,
        "timestamp": "2026-01-01T00:00:00+00:00",
        "edited_timestamp": "2026-01-01T00:00:01+00:00",
        "tts": False,
        "mention_everyone": False,
        "mentions": [],
        "mention_roles": [],
        "attachments": [],
        "embeds": [],
        "pinned": False,
        "type": 0,
        "webhook_id": "300000000000000003",
    }
