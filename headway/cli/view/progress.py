"""A job under way: what a watch tells becomes a state to draw and lines to print."""

import math
from dataclasses import dataclass, field

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from headway.cli.global_options import headway
from headway.cli.view.jobs import job_id, phase_word, state_style, transition_line
from headway.cli.view.words import duration_text, number_text, sparkline
from headway.contract.states import is_held, is_terminal, state_name
from headway.v1.jobs_pb2 import JOB_STATE_PAUSED, Job, Progress
from headway.v1.jobs_service_pb2 import WatchJobResponse

_MAX_LOSSES = 400
_BAR_WIDTH = 28


@dataclass(slots=True)
class Follower:
    """What is known of a job that is being watched.

    Attributes:
        job: as last told.
        losses: training losses in the order they were told, for the sparkline.
        told: number of the newest transition that a line was printed for.
    """

    job: Job = field(default_factory=Job)
    losses: list[float] = field(default_factory=list)
    told: int = 0

    def take(self, message: WatchJobResponse) -> list[str]:
        """Take one message in; returns the lines to print, one a transition that was not told yet."""
        match message.WhichOneof("update"):
            case "snapshot":
                self.job = message.snapshot
                return self._new_lines(message.snapshot)
            case "change":
                progress = self.job.progress
                self.job = message.change.job
                if not self.job.HasField("progress") and progress.attempt == self.job.attempt:
                    self.job.progress.CopyFrom(progress)
                return self._new_lines(message.change.job)
            case "progress":
                self._take_progress(message.progress)
        return []

    @property
    def is_over(self) -> bool:
        """Whether the job has ended."""
        return is_terminal(self.job.state)

    def _take_progress(self, progress: Progress) -> None:
        if progress.attempt != self.job.progress.attempt:
            self.losses.clear()
        self.job.progress.CopyFrom(progress)
        if math.isfinite(progress.loss) and progress.step:
            self.losses.append(progress.loss)
            del self.losses[:-_MAX_LOSSES]

    def _new_lines(self, job: Job) -> list[str]:
        new = [one for one in job.transitions if one.number > self.told]
        self.told = max((one.number for one in new), default=self.told)
        lines = [transition_line(one) for one in new]
        if new and job.state == JOB_STATE_PAUSED:
            lines.append(f"          {job.wait_reason}: {headway()} jobs resume {job_id(job.name)}")
        return lines


def draw(follower: Follower) -> RenderableType:
    """The live picture: state and phase, then bar, loss with sparkline, rate and time to go."""
    job = follower.job
    state = state_name(job.state)
    head = Text.assemble((job_id(job.name), "bold"), "  ", (state, state_style(state)), "  ", _where(job))
    return Group(head, _bar(follower)) if is_held(job.state) and job.progress.step else head


def plain_line(follower: Follower) -> str:
    """One line for a pipe or log file."""
    job, progress = follower.job, follower.job.progress
    parts = [phase_word(progress.phase) or state_name(job.state).lower()]
    if progress.total_steps:
        parts.append(f"{share(progress):.0%}")
    parts += _numbers(progress)
    return "  ".join(parts)


def share(progress: Progress) -> float:
    """Part of the steps that is done, 0 to 1."""
    return min(1.0, progress.step / progress.total_steps) if progress.total_steps else 0.0


def _where(job: Job) -> str:
    if job.wait_reason and not job.host:
        return job.wait_reason
    parts = [phase_word(job.progress.phase), f"on {job.host.removeprefix('hosts/')}" if job.host else ""]
    return " ".join(filter(None, parts))


def _bar(follower: Follower) -> RenderableType:
    progress = follower.job.progress
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_row(
        ProgressBar(total=1.0, completed=share(progress), width=_BAR_WIDTH),
        f"{share(progress):>4.0%}",
        Text(sparkline(follower.losses), style="green"),
        "  ".join(_numbers(progress)),
    )
    return grid


def _numbers(progress: Progress) -> list[str]:
    parts: list[str] = []
    if progress.total_epochs:
        parts.append(f"epoch {progress.epoch}/{progress.total_epochs}")
    if progress.step and math.isfinite(progress.loss):
        parts.append(f"loss {number_text(progress.loss)}")
    if progress.samples_per_second:
        parts.append(f"{progress.samples_per_second:,.0f}/s")
    if progress.HasField("eta") and (left := duration_text(progress.eta)):
        parts.append(f"{left} to go")
    return parts
