"""Builds the bot and its loops."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial

from headway.client import HeadwayClient
from headway.client.locate import DEFAULT_PROJECT
from headway.contract.subjects import NOTIFIER, PROGRESS
from headway.runtime.bus import Bus
from headway.runtime.clock import Clock
from headway.runtime.feeds import FROM_NEW, Feed
from headway.runtime.keys import read_key_file
from headway.runtime.logs import get_logger
from headway.v1.records_pb2 import DiscordRecord
from notifier.discord.answers import Desk
from notifier.discord.bot import Bot, Ears, hush, point_at
from notifier.discord.dm import OwnerDm
from notifier.discord.door import Door
from notifier.discord.embeds import Wording
from notifier.discord.harmless import Redact
from notifier.discord.hearing import Hearing
from notifier.discord.live_board import LiveBoard, Places
from notifier.discord.live_embeds import LiveRules, LiveRuns
from notifier.discord.live_store import LiveStore
from notifier.discord.run_names import RunNames
from notifier.discord.runs_gateway import ClientGateway, RunsGateway
from notifier.discord.sink import DiscordSink
from notifier.discord.steering import Steering
from notifier.discord_section import DiscordSection
from notifier.parts import Parts
from notifier.settings import NotifierSettings
from notifier.sinks import Sink
from notifier.watch_store import WatchStore

_log = get_logger(__name__)

_GATHER_SECONDS = 1.0
"""Of a thousand reports in a second, those that count are the newest of each run; nothing is shown sooner anyway."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the bot lives in.

    Attributes:
        bus: of NATS.
        gateway: the truth about runs.
        watches: what the owner follows; loaded.
        redact: takes out secrets and paths.
        clock: the service's.
        report_health: told of a part of the bot and whether it works; what does not needs a person.
    """

    bus: Bus
    gateway: RunsGateway
    watches: WatchStore
    redact: Redact
    clock: Clock
    report_health: Callable[[str, bool], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembly:
    """The bot, ready to run.

    Attributes:
        sink: where messages go.
        ears: what it does with what it hears.
        runs: that have a live message.
        loops: by name; the caller runs them.
    """

    sink: DiscordSink
    ears: Ears
    runs: LiveRuns
    loops: Mapping[str, Callable[[], Awaitable[None]]]


async def open_discord(parts: Parts) -> Sink:
    """The bot, about to log in; its loops are the service's. Its post is opened by the caller.

    Raises:
        InvalidKey: the key file that the settings name cannot be used.
        StoreUnavailable: the server does not answer.
    """

    async def report_health(part: str, is_well: bool) -> None:  # noqa: FBT001 - what the hook is about
        await parts.health.report("discord", is_well=is_well, part=part)

    around = Surroundings(
        bus=parts.bus,
        gateway=await _open_gateway(parts),
        watches=parts.watches,
        redact=parts.redact,
        clock=parts.service.clock,
        report_health=report_health,
    )
    assembly = await assemble(parts.settings.notifier.discord, around)
    for name, run in assembly.loops.items():
        parts.service.loop(name, run)
    return assembly.sink


async def assemble(section: DiscordSection, around: Surroundings) -> Assembly:
    """Build everything, and go on with the live messages of the life before; raises StoreUnavailable."""
    hush()
    point_at(section.api_base, section.gateway_url)
    clock, names = around.clock, RunNames(DEFAULT_PROJECT)
    rules = LiveRules(edit_seconds=section.edit_seconds, heartbeat_seconds=section.heartbeat_seconds)
    runs = LiveRuns(rules, around.watches.is_watched)
    hearing = Hearing(runs, names, clock)
    desk = Desk(
        gateway=around.gateway,
        watches=around.watches,
        names=names,
        redact=around.redact,
        clock=clock,
        hear=hearing.hear,
        is_control_enabled=section.is_control_enabled,
    )
    dm = OwnerDm(section.owner, clock, partial(around.report_health, "direct messages"))
    store = LiveStore(around.bus.records(NOTIFIER, DiscordRecord))
    await store.load()
    board = LiveBoard(runs, desk, Places(dm, store), hearing.bell)
    board.restore()
    ears = Ears(door=Door(section.owner), desk=desk, steering=Steering(desk), dm=dm, store=store)
    return Assembly(
        sink=DiscordSink(dm, Wording(around.redact, names.title_of), around.watches.is_watched, hearing.hear),
        ears=ears,
        runs=runs,
        loops={
            "listen to progress": lambda: hearing.listen(lambda: _progress_feed(around.bus)),
            "tend live messages": board.tend,
            "learn of the newest runs": board.acquaint,
            "be in Discord": Bot(ears, section.bot_token(), clock, partial(around.report_health, "connection")).run,
        },
    )


async def _open_gateway(parts: Parts) -> RunsGateway:
    settings, clock = parts.settings, parts.service.clock
    connecting = HeadwayClient.connect(
        settings.notifier.gateway_address, _key(settings), home=settings.home, ca_file=settings.ca_file, clock=clock
    )
    return ClientGateway(await parts.service.enter(connecting), clock)


def _progress_feed(bus: Bus) -> Feed:
    """From now on: a run that goes on says so again soon, and of those that do not nothing is to be shown."""
    return bus.feed(PROGRESS, start=FROM_NEW, restart_when_replaced=True, gather_seconds=_GATHER_SECONDS)


def _key(settings: NotifierSettings) -> str | None:
    if settings.api_key is not None:
        return settings.api_key.get_secret_value()
    if settings.api_key_file is not None or settings.key_path.exists():
        return read_key_file(settings.key_path)
    # Messages need no gateway; only questions do.
    _log.warning("no key for the gateway: set HEADWAY_API_KEY of the notifier", missing=settings.key_path.name)
    return None
