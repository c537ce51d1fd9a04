"""One run as an embed: for the live message, and for the answer to `/trainer status`. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import discord

from notifier.discord.bar import bar, sparkline
from notifier.discord.card import field
from notifier.discord.harmless import Redact, harmless, in_code
from notifier.discord.run_view import RunView
from notifier.rules import BLURPLE, GREEN, ORANGE, RED, YELLOW
from notifier.wording import in_words

_TITLES = {
    "QUEUED": ("Training queued", BLURPLE),
    "RUNNING": ("Training in progress", YELLOW),
    "PAUSING": ("Training pausing", YELLOW),
    "PAUSED": ("Training paused", YELLOW),
    "CANCELLING": ("Training being cancelled", ORANGE),
    "SUCCEEDED": ("Training completed", GREEN),
    "FAILED": ("Training failed", RED),
    "EVAL_FAILED": ("Training failed", RED),
    "CANCELLED": ("Training cancelled", ORANGE),
}
_OTHER = ("Training", BLURPLE)

_TO_GO_ON = {
    "USER_INPUT": "Correct the spec or its data, then",
    "TRANSIENT": "The cause may pass:",
    "FATAL": "Find the cause first:",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """The last word that a run goes on.

    Attributes:
        time: when it was said, UTC.
        step: of the run then.
        num_steps: taken since the heartbeat before.
        is_first: whether there was none before.
    """

    time: datetime
    step: int
    num_steps: int
    is_first: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Extras:
    """What only a live message shows.

    Attributes:
        losses: from the first to the newest.
        heartbeat: None before the first.
        note: a closing remark; empty for none.
    """

    losses: Sequence[float] = ()
    heartbeat: Heartbeat | None = None
    note: str = ""


def run_embed(view: RunView, redact: Redact, *, now: datetime, extras: Extras | None = None) -> discord.Embed:
    """The run as it stands.

    Args:
        view: what is known of it.
        redact: takes out secrets and paths.
        now: shown in the corner as the time of the picture.
        extras: for a live message.
    """
    shown = extras if extras is not None else Extras()
    title, colour = _TITLES.get(view.state, _OTHER)
    embed = discord.Embed(title=title, description=_heading(view, redact), colour=colour, timestamp=now)
    _add_progress(embed, view, shown)
    _add_place(embed, view, redact)
    _add_end(embed, view, redact)
    if shown.heartbeat is not None and not view.is_over:
        field(embed, "Heartbeat", _beat(shown.heartbeat), is_inline=False)
    if shown.note:
        embed.set_footer(text=shown.note)
    return embed


def _heading(view: RunView, redact: Redact) -> str:
    name = f"**{harmless(view.title, redact, limit=200)}**" if view.title != view.name.job_id else ""
    kind = harmless(view.kind, redact, limit=100)
    lines = [" · ".join(part for part in (name, kind) if part), in_code(_short(view), redact, limit=200)]
    if view.wait_reason and not view.is_over:
        lines.append(f"Waits: {harmless(view.wait_reason, redact, limit=500)}")
    return "\n".join(lines)


def _short(view: RunView) -> str:
    return f"{view.name.project}/{view.name.job_id}"


def _add_progress(embed: discord.Embed, view: RunView, extras: Extras) -> None:
    progress = view.progress
    if view.state == "SUCCEEDED":
        field(embed, "Progress", bar(1.0), is_inline=False)
    elif progress.total_steps > 0 and progress.step > 0:
        field(embed, "Progress", bar(progress.fraction), is_inline=False)
    if progress.phase and not view.is_over:
        field(embed, "Phase", progress.phase.replace("_", " "))
    if progress.total_epochs > 0:
        field(embed, "Epoch", f"{progress.epoch:,} of {progress.total_epochs:,}")
    if progress.step > 0:
        total = f" of {progress.total_steps:,}" if progress.total_steps > 0 else ""
        field(embed, "Step", f"{progress.step:,}{total}")
    field(embed, "Loss", _loss(progress.loss, extras.losses))
    if not view.is_over and view.state == "RUNNING":
        field(embed, "Rate", _rate(progress.samples_per_second))
        field(embed, "Time left", _eta(progress.eta_seconds))


def _loss(loss: float, losses: Sequence[float]) -> str:
    newest = f"{loss:.4g}" if math.isfinite(loss) else ""
    return " ".join(part for part in (newest, sparkline(losses)) if part)


def _rate(samples_per_second: float) -> str:
    if not math.isfinite(samples_per_second) or samples_per_second <= 0:
        return ""
    return f"{samples_per_second:,.0f} a second" if samples_per_second >= 10 else f"{samples_per_second:.2g} a second"


def _eta(seconds: float) -> str:
    return f"about {in_words(seconds)}" if math.isfinite(seconds) and seconds >= 0 else ""


def _add_place(embed: discord.Embed, view: RunView, redact: Redact) -> None:
    field(embed, "Host", harmless(view.host, redact, limit=100))
    field(embed, "Mode", harmless(view.mode, redact, limit=100))
    if view.attempt > 1:
        field(embed, "Attempt", f"{view.attempt}")
    if view.create_time is not None and view.end_time is not None:
        field(embed, "Took in all", in_words(max(0.0, (view.end_time - view.create_time).total_seconds())))
    for name, value in view.headline:
        if math.isfinite(value):
            field(embed, harmless(name, redact, limit=200), f"{value:.4g}")


def _add_end(embed: discord.Embed, view: RunView, redact: Redact) -> None:
    """A failure as a card: class, what was tried, what is kept, how to go on."""
    failure = view.failure
    if failure is None:
        return
    why = f"{failure.reason}: {failure.message}" if failure.message else failure.reason
    name = "Why" if view.is_over else "Last failure"
    field(embed, name, harmless(why, redact, limit=900), is_inline=False)
    field(embed, "Class", harmless(failure.failure_class, redact, limit=100))
    if view.state not in {"FAILED", "EVAL_FAILED"}:
        return
    field(embed, "Tried", "once" if view.attempt <= 1 else f"{view.attempt} times")
    field(embed, "Kept", _kept(view), is_inline=False)
    advice = _TO_GO_ON.get(failure.failure_class, "To go on:")
    command = in_code(f"headway jobs logs {view.name.name}", redact, limit=300)
    field(embed, "To go on", f"{advice} submit it again. Its log: {command}", is_inline=False)


def _kept(view: RunView) -> str:
    if view.checkpoint_step > 0:
        return f"Its spec, its log and the checkpoint of step {view.checkpoint_step:,}."
    return "Its spec and its log; there was no checkpoint yet."


def _beat(heartbeat: Heartbeat) -> str:
    at = f"{heartbeat.time:%H:%M} UTC"
    if heartbeat.is_first:
        return f"{at}: at step {heartbeat.step:,}."
    if heartbeat.num_steps > 0:
        return f"{at}: at step {heartbeat.step:,}, {heartbeat.num_steps:,} more than at the one before."
    return f"{at}: still at step {heartbeat.step:,}, no further than at the one before."
