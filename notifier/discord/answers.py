"""What the bot answers to the owner's commands; what Discord is does not matter here."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

import discord

from headway.contract.errors import HeadwayError, StoreUnavailable
from headway.contract.ids import JobName
from headway.runtime.clock import Clock
from headway.runtime.remote_error import RemoteError
from headway.v1.jobs_pb2 import Job
from notifier.discord.bar import bar
from notifier.discord.card import Card
from notifier.discord.custom_ids import buttons_of
from notifier.discord.harmless import Redact, harmless, in_code
from notifier.discord.run_embed import run_embed
from notifier.discord.run_names import ALL, RunNames, UnknownRun
from notifier.discord.run_view import RunView, view_of
from notifier.discord.runs_gateway import RunsGateway
from notifier.rules import BLURPLE
from notifier.watch_store import WatchStore
from notifier.wording import in_words

NUM_RUNS = 10
_MARKS = {"RUNNING": "▶", "QUEUED": "…", "PAUSED": "⏸", "SUCCEEDED": "✓", "FAILED": "✗", "EVAL_FAILED": "✗"}
NO_GATEWAY = "The gateway does not answer just now. Nothing was changed; ask again in a moment."
NO_STORE = "The watches cannot be written down just now. Nothing was changed; ask again in a moment."


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What every answer is made from.

    Attributes:
        gateway: the truth about runs.
        watches: what the owner follows.
        names: the runs that are known by name.
        redact: takes out secrets and paths.
        clock: the service's.
        hear: called with a run that something was changed about, so that its live message is looked after.
        is_control_enabled: whether runs may be paused, resumed and cancelled from here.
    """

    gateway: RunsGateway
    watches: WatchStore
    names: RunNames
    redact: Redact
    clock: Clock
    hear: Callable[[JobName], None]
    is_control_enabled: bool


async def answer_or_excuse(desk: Desk, answer: Awaitable[Card]) -> Card:
    """The answer; or in words why there is none."""
    try:
        return await answer
    except UnknownRun as error:
        return Card(content=str(error))
    except RemoteError as error:
        return Card(content=_excuse(error, desk.redact))
    except StoreUnavailable:
        return Card(content=NO_STORE)
    except HeadwayError as error:
        return Card(content=harmless(error.message, desk.redact, limit=500))


def _excuse(error: RemoteError, redact: Redact) -> str:
    if error.is_retryable:
        return NO_GATEWAY
    if error.reason in {"UNAUTHENTICATED", "INVALID_KEY"}:
        return "The gateway does not accept the notifier's key; set HEADWAY_API_KEY of the notifier."
    return f"The gateway says no: {harmless(error.message, redact, limit=500)}"


async def tell_runs(desk: Desk) -> Card:
    """The newest runs, one line each."""
    now = desk.clock.now()
    views = [learn(desk, job) for job in await desk.gateway.recent(desk.names.projects(), NUM_RUNS)]
    if not views:
        return Card(content="No run yet. headway submit starts one.")
    lines = [_line(view, desk.redact, now) for view in views]
    return Card(embeds=(discord.Embed(title="Runs", description="\n".join(lines), colour=BLURPLE, timestamp=now),))


async def tell_status(desk: Desk, typed: str) -> Card:
    """One run as it stands, from the gateway."""
    view = learn(desk, await desk.gateway.get(desk.names.resolve(typed)))
    buttons = buttons_of(view) if desk.is_control_enabled else ()
    return Card(embeds=(run_embed(view, desk.redact, now=desk.clock.now()),), buttons=buttons)


async def watch(desk: Desk, typed: str) -> Card:
    """Follow one run, or all."""
    if typed.strip().lower() == ALL:
        await desk.watches.watch_all(True)  # noqa: FBT003 - the one thing that it says
        for job in await desk.gateway.recent(desk.names.projects(), NUM_RUNS):
            desk.hear(learn(desk, job).name)
        return Card(content="Every run is watched from now on.")
    view = learn(desk, await desk.gateway.get(desk.names.resolve(typed)))
    if view.is_over:
        return Card(content=f"That run is over: {view.state}.", embeds=(_embed(desk, view),))
    await desk.watches.watch(view.name.name)
    desk.hear(view.name)
    return Card(content=f"Watching {_called(view, desk.redact)}.")


async def unwatch(desk: Desk, typed: str) -> Card:
    """Follow one run no more, or none by itself."""
    if typed.strip().lower() == ALL:
        await desk.watches.watch_all(False)  # noqa: FBT003 - the one thing that it says
        rest = len(desk.watches.watched())
        still = f" {rest} that you asked for one by one still are; /trainer unwatch takes them too." if rest else ""
        return Card(content=f"New runs are not watched by themselves any more.{still}")
    name = desk.names.resolve(typed)
    await desk.watches.unwatch(name.name)
    desk.hear(name)
    return Card(content=f"Not watching {in_code(name.job_id, desk.redact, limit=100)} any more.")


def learn(desk: Desk, job: Job) -> RunView:
    """Remember a run's name for suggestions."""
    view = view_of(job)
    title = "" if view.title == view.name.job_id else desk.redact(view.title)
    desk.names.learn(view.name, " · ".join(part for part in (title, view.state.lower()) if part), title)
    return view


def _embed(desk: Desk, view: RunView) -> discord.Embed:
    return run_embed(view, desk.redact, now=desk.clock.now())


def _called(view: RunView, redact: Redact) -> str:
    return f"{harmless(view.title, redact, limit=200)} {in_code(view.name.job_id, redact, limit=100)}"


def _line(view: RunView, redact: Redact, now: datetime) -> str:
    parts = [f"{_MARKS.get(view.state, '•')} {in_code(view.name.job_id, redact, limit=60)}"]
    if view.title != view.name.job_id:
        parts.append(f"**{harmless(view.title, redact, limit=80)}**")
    parts.append(view.state.replace("_", " ").lower())
    if view.state == "RUNNING" and view.progress.total_steps > 0:
        parts.append(bar(view.progress.fraction, num_cells=8))
    if view.create_time is not None:
        parts.append(f"{in_words(max(0.0, (now - view.create_time).total_seconds()))} ago")
    return " ".join(parts)
