"""The slash commands of the owner: `/trainer runs | status | watch | unwatch`, and `pause | resume | cancel`."""

import hashlib
import json
from collections.abc import Awaitable

import discord
from discord import app_commands

from headway.runtime.logs import get_logger
from notifier.discord.answers import Desk, answer_or_excuse, tell_runs, tell_status, unwatch, watch
from notifier.discord.card import Card
from notifier.discord.custom_ids import CANCEL, PAUSE, RESUME
from notifier.discord.door import Door
from notifier.discord.replies import OwnersInteraction, caller_of, reply
from notifier.discord.steering import Steering

_log = get_logger(__name__)

_RUN = "Id of the run, or its first four characters or more"
_RUN_OR_ALL = f"{_RUN}; or `all`"

Choices = list[app_commands.Choice[str]]


class TrainerCommands(app_commands.Group):
    """Each answers with what the gateway says."""

    def __init__(self, desk: Desk, steering: Steering) -> None:
        """Without control, the commands that change anything are not even offered."""
        super().__init__(
            name="trainer",
            description="Trainings and how they stand",
            allowed_contexts=app_commands.AppCommandContext(guild=False, dm_channel=True, private_channel=False),
            allowed_installs=app_commands.AppInstallationType(guild=True, user=True),
        )
        self._desk = desk
        self._steering = steering
        if not desk.is_control_enabled:
            for verb in (PAUSE, RESUME, CANCEL):
                self.remove_command(verb)

    @app_commands.command(description="The newest runs")
    async def runs(self, interaction: OwnersInteraction) -> None:
        """`/trainer runs`."""
        await self._answer(interaction, tell_runs(self._desk))

    @app_commands.command(description="How a run stands")
    @app_commands.describe(run=_RUN)
    async def status(self, interaction: OwnersInteraction, run: str) -> None:
        """`/trainer status RUN`."""
        await self._answer(interaction, tell_status(self._desk, run))

    @app_commands.command(description="Follow a run with a live message and a word about each change")
    @app_commands.describe(run=_RUN_OR_ALL)
    async def watch(self, interaction: OwnersInteraction, run: str) -> None:
        """`/trainer watch RUN`."""
        await self._answer(interaction, watch(self._desk, run))

    @app_commands.command(description="Follow a run no more")
    @app_commands.describe(run=_RUN_OR_ALL)
    async def unwatch(self, interaction: OwnersInteraction, run: str) -> None:
        """`/trainer unwatch RUN`."""
        await self._answer(interaction, unwatch(self._desk, run))

    @app_commands.command(description="Let a run give its host up until it is resumed")
    @app_commands.describe(run=_RUN)
    async def pause(self, interaction: OwnersInteraction, run: str) -> None:
        """`/trainer pause RUN`."""
        await self._answer(interaction, self._steering.steer(PAUSE, run))

    @app_commands.command(description="Let a paused run go on")
    @app_commands.describe(run=_RUN)
    async def resume(self, interaction: OwnersInteraction, run: str) -> None:
        """`/trainer resume RUN`."""
        await self._answer(interaction, self._steering.steer(RESUME, run))

    @app_commands.command(description="Stop a run for good; asks once more")
    @app_commands.describe(run=_RUN)
    async def cancel(self, interaction: OwnersInteraction, run: str) -> None:
        """`/trainer cancel RUN`."""
        await self._answer(interaction, self._steering.steer(CANCEL, run))

    @status.autocomplete("run")
    @pause.autocomplete("run")
    @resume.autocomplete("run")
    @cancel.autocomplete("run")
    async def suggest(self, _interaction: OwnersInteraction, current: str) -> Choices:
        """Runs that fit what was typed so far; from memory, since Discord waits three seconds."""
        return self._suggest(current, with_all=False)

    @watch.autocomplete("run")
    @unwatch.autocomplete("run")
    async def suggest_or_all(self, _interaction: OwnersInteraction, current: str) -> Choices:
        """The same, and `all`."""
        return self._suggest(current, with_all=True)

    def _suggest(self, current: str, *, with_all: bool) -> Choices:
        found = self._desk.names.suggest(current, self._desk.watches.watched(), with_all=with_all)
        return [app_commands.Choice(name=label, value=value) for label, value in found]

    async def _answer(self, interaction: OwnersInteraction, answer: Awaitable[Card]) -> None:
        await reply(interaction, answer_or_excuse(self._desk, answer))


class OwnersTree(app_commands.CommandTree[discord.Client]):
    """Ignores, without a word, whoever is not the owner in direct messages."""

    def __init__(self, client: discord.Client, door: Door) -> None:
        super().__init__(client)
        self._door = door

    async def interaction_check(self, interaction: OwnersInteraction, /) -> bool:
        """Whether to act on it; also asked for what is typed and not sent yet."""
        return self._door.admits(caller_of(interaction), interaction.id)

    async def on_error(self, interaction: OwnersInteraction, error: app_commands.AppCommandError, /) -> None:
        """Nobody is told: the command does not exist any more, or was never ours."""
        _log.warning("a command could not be carried out", id=interaction.id, why=type(error).__name__)

    def digest(self, application_id: int) -> str:
        """Of the commands as Discord would be told; the same as last time means that it knows them."""
        wanted = [command.to_dict(self) for command in self.get_commands()]
        text = json.dumps([application_id, wanted], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()
