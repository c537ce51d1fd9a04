"""What an agent and its child process say to each other: one JSON object a line, over a socket pair.

The agent sends at most one `RunAttempt` to a child, and any number of `Stop`. The child sends one `Hello`, then, for
its attempt, any number of `Progress`, `Log` and `Saved`, then exactly one of `Finished`, `Failed` and `Stopped`, and
exits. JSON and not pickles, so that neither side can be made to run code by the other, and a line can be read by a
person.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

LINE_LIMIT_BYTES = 4 * 1024 * 1024
"""Longest line either side accepts. A spec with many columns is some hundred KiB; more is a defect."""

Phase = Literal["STARTING", "LOADING_DATA", "TRAINING", "EVALUATING", "EXPORTING"]
"""Names of headway.v1.AttemptPhase without their prefix. UPLOADING is the agent's."""

StopReason = Literal["PAUSE", "CANCEL", "PREEMPT", "STALE"]
"""Names of headway.v1.AttemptStop.Reason without their prefix."""

FailureClass = Literal["USER_INPUT", "TRANSIENT", "FATAL"]
"""Names of headway.v1.FailureClass without their prefix."""

LogLevel = Literal["debug", "info", "warning", "error"]

NOT_KNOWN = float("nan")


class _Message(BaseModel):
    # NaN is a legal progress value ("not known"); pydantic would otherwise write it as null and refuse it when read.
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")


class InputFile(_Message):
    """An input as it lies on this host, its digest checked by the agent; `headway.v1.PinnedInput` with a path."""

    role: str
    path: str
    digest: str
    size_bytes: int
    format: str = ""
    dataset: str = ""
    version: int = 0
    file_name: str = ""


class CheckpointOrder(_Message):
    """Where and how often to save, and what to go on from."""

    folder: str = ""
    """An existing folder of this job alone, in which each checkpoint becomes a folder; empty means not to save any."""
    resume_from: tuple[str, ...] = ()
    """Folders of checkpoints, the one to try first in front."""
    spec_digest: str = ""
    """Of the job's spec, so that no checkpoint of another is taken for one of this."""
    interval_seconds: float = 60.0
    """Longest time between two checkpoints."""
    interval_steps: int = 0
    """Most optimizer steps between two checkpoints; 0 means that only time counts."""


class RunAttempt(_Message):
    """Order to run one attempt. The child takes one in its life."""

    type: Literal["run_attempt"] = "run_attempt"
    job: str
    attempt: int
    host: str
    kind: str
    spec_json: str
    """The headway.v1.JobSpec in proto3 JSON."""
    mode: Literal["LOCAL", "HOST"]
    inputs: tuple[InputFile, ...] = ()
    work_dir: str
    """An existing folder of this attempt alone, on the outbox's file system; the bundle becomes its folder `bundle`."""
    user_id: str = ""
    num_threads: int = 0
    """Threads of the math library; 0 means what the recipe recommends."""
    checkpoints: CheckpointOrder = CheckpointOrder()


class Stop(_Message):
    """Order to stop at the next step. The child answers with `Stopped`, or with `Finished` when it was just done."""

    type: Literal["stop"] = "stop"
    reason: StopReason


class Device(_Message):
    """`headway.v1.Device`."""

    id: str
    display_name: str = ""
    memory_mib: int = 0


class RecipeReport(_Message):
    """`headway.v1.RecipeReport`."""

    kind: str
    available: bool
    problem: str = ""


class Hello(_Message):
    """First message: what this child can do. Sent when it is warm, that is, ready to train within milliseconds."""

    type: Literal["hello"] = "hello"
    pid: int
    torch_version: str = ""
    torch_problem: str = ""
    devices: tuple[Device, ...] = ()
    recipes: tuple[RecipeReport, ...] = ()


class Progress(_Message):
    """`headway.v1.Progress`; at most about ten a second. Only the newest counts."""

    type: Literal["progress"] = "progress"
    phase: Phase
    message: str = ""
    epoch: int = 0
    total_epochs: int = 0
    step: int = 0
    total_steps: int = 0
    loss: float = NOT_KNOWN
    best_loss: float = NOT_KNOWN
    learning_rate: float = 0.0
    samples_per_second: float = 0.0
    eta_seconds: float | None = None
    memory_bytes: int = 0
    measure_time: float
    """Seconds since the epoch."""


class Log(_Message):
    """A line of the attempt's log. The agent numbers lines, since it has lines of its own."""

    type: Literal["log"] = "log"
    time: float
    """Seconds since the epoch."""
    level: LogLevel
    message: str
    fields: dict[str, str] = Field(default_factory=dict)


class ArtifactFile(_Message):
    """`headway.v1.Artifact`: a file of the bundle, by its path below `bundle_dir`."""

    path: str
    digest: str
    size_bytes: int
    media_type: str


class Summary(_Message):
    """`headway.v1.ResultSummary`."""

    task: str = ""
    metrics: dict[str, float] = Field(default_factory=dict)
    headline_metric: str = ""
    headline_value: float = NOT_KNOWN
    num_steps: int = 0
    duration_seconds: float = 0.0
    warnings: tuple[str, ...] = ()


class Saved(_Message):
    """A checkpoint lies whole and fsynced in `folder`."""

    type: Literal["saved"] = "saved"
    folder: str
    step: int
    """Optimizer steps done."""
    manifest_digest: str
    artifacts: tuple[ArtifactFile, ...]
    """Every file, `manifest.json` included."""


class Finished(_Message):
    """Last message of an attempt that succeeded: its bundle lies complete, but not yet fsynced, in `bundle_dir`."""

    type: Literal["finished"] = "finished"
    bundle_dir: str
    manifest_digest: str
    artifacts: tuple[ArtifactFile, ...]
    """Every file, `manifest.json` included."""
    summary: Summary


class Failed(_Message):
    """Last message of an attempt that failed."""

    type: Literal["failed"] = "failed"
    failure_class: FailureClass
    reason: str
    message: str
    """For people; without paths and secrets. The traceback, if there is one, is in the log."""
    step: int = 0


class Stopped(_Message):
    """Last message of an attempt that stopped because it was told to."""

    type: Literal["stopped"] = "stopped"
    reason: StopReason
    step: int = 0


ToChild = Annotated[RunAttempt | Stop, Field(discriminator="type")]
FromChild = Annotated[Hello | Progress | Log | Saved | Finished | Failed | Stopped, Field(discriminator="type")]
ChildMessage = Progress | Log | Saved | Finished | Failed | Stopped
"""What `ChildProcess.messages` yields."""

_TO_CHILD: TypeAdapter[RunAttempt | Stop] = TypeAdapter(ToChild)
_FROM_CHILD: TypeAdapter[Hello | ChildMessage] = TypeAdapter(FromChild)


def encode(message: RunAttempt | Stop | Hello | ChildMessage) -> bytes:
    """One line, with its end."""
    return message.model_dump_json().encode() + b"\n"


def decode_to_child(line: bytes) -> RunAttempt | Stop:
    """Read a line of the agent; raises pydantic.ValidationError, a ValueError."""
    return _TO_CHILD.validate_json(line)


def decode_from_child(line: bytes) -> Hello | ChildMessage:
    """Read a line of the child; raises pydantic.ValidationError, a ValueError."""
    return _FROM_CHILD.validate_json(line)
