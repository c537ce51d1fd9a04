"""A bot on the real discord.py, small enough to see through, that is logged in to a fake Discord."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from unittest.mock import patch

import discord
import yarl
from discord import app_commands
from discord.gateway import DiscordWebSocket
from discord.http import Route

from headway.testing.discord.server import FakeDiscord


class SmallBot(discord.Client):
    """Commands that answer at once, late and privately, a button, and a record of what it heard."""

    def __init__(self) -> None:
        super().__init__(intents=discord.Intents.none(), max_ratelimit_timeout=30.0, guild_ready_timeout=0.05)
        contexts = app_commands.AppCommandContext(guild=False, dm_channel=True, private_channel=False)
        self.tree = app_commands.CommandTree(self, allowed_contexts=contexts)
        self.tree.add_command(_Trainer(name="trainer", description="Runs"))
        self.heard: list[discord.Interaction[discord.Client]] = []
        self.num_resumed = 0

    async def setup_hook(self) -> None:
        await self.tree.sync()

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Without the five seconds that the library waits before a second identify."""

    async def on_interaction(self, interaction: "discord.Interaction[discord.Client]") -> None:
        self.heard.append(interaction)

    async def on_resumed(self) -> None:
        self.num_resumed += 1

    async def owner_dm(self, fake: FakeDiscord) -> discord.DMChannel:
        return await (await self.fetch_user(fake.owner_id)).create_dm()


class _Trainer(app_commands.Group):
    @app_commands.command(name="ping", description="Answer at once")
    async def ping(self, interaction: "discord.Interaction[discord.Client]") -> None:
        await interaction.response.send_message("pong", view=_Question())

    @app_commands.command(name="status", description="Answer late and privately")
    async def status(self, interaction: "discord.Interaction[discord.Client]", run: str) -> None:
        await interaction.response.defer(ephemeral=True)
        await interaction.edit_original_response(content=f"run {run}")
        await interaction.followup.send("and more")

    @status.autocomplete("run")
    async def complete(
        self, _interaction: "discord.Interaction[discord.Client]", typed: str
    ) -> list[app_commands.Choice[str]]:
        return [app_commands.Choice(name=run, value=run) for run in ("iris-1", "iris-2", "wine-1") if typed in run]


class _Question(discord.ui.View):
    def __init__(self) -> None:
        super().__init__(timeout=None)

    @discord.ui.button(label="Cancel", style=discord.ButtonStyle.danger, custom_id="cancel")
    async def cancel(
        self, interaction: "discord.Interaction[discord.Client]", _button: "discord.ui.Button[_Question]"
    ) -> None:
        await interaction.response.edit_message(content="sure?", view=None)

    @discord.ui.button(label="Look", custom_id="look")
    async def look(
        self, interaction: "discord.Interaction[discord.Client]", _button: "discord.ui.Button[_Question]"
    ) -> None:
        await interaction.response.defer()
        await interaction.edit_original_response(content="looked")


@asynccontextmanager
async def pointed_at(fake: FakeDiscord) -> AsyncIterator[None]:
    """The library talks to the fake inside the block."""
    with (
        patch.object(Route, "BASE", fake.api_base),
        patch.object(DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(fake.gateway_url)),
    ):
        yield


@asynccontextmanager
async def logged_in(fake: FakeDiscord) -> AsyncGenerator[SmallBot, None]:
    """A bot that is ready inside the block."""
    bot = SmallBot()
    async with pointed_at(fake), bot:
        running = asyncio.create_task(bot.start(fake.token))
        await fake.gateway.wait_connected()
        await bot.wait_until_ready()
        yield bot
        await bot.close()
        await running
