"""What the clients of a fault test did and saw: every call with its outcome, every state read, every watch."""

import time
from collections.abc import Awaitable
from dataclasses import dataclass, field
from enum import StrEnum

from headway.contract.errors import Code
from headway.runtime.remote_error import RemoteError
from headway.v1.jobs_pb2 import Job, JobState
from headway.v1.jobs_service_pb2 import WatchJobResponse

UNKNOWN_CODES = frozenset({Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED, Code.CANCELLED, Code.INTERNAL})
"""After these the call may have been done or not."""


class Outcome(StrEnum):
    """What a caller knows of a call."""

    OK = "ok"
    FAIL = "fail"
    """Refused: nothing was done."""
    UNKNOWN = "unknown"
    """The connection broke: it may have been done or not."""


@dataclass(slots=True)
class Call:
    """One call.

    Attributes:
        what: `create`, `cancel` ...
        job: its name; empty for a submission that was not acknowledged.
        request_id: of a submission.
        start_seconds: monotonic.
        end_seconds: monotonic; 0 while it runs.
        outcome: a call that was never answered is UNKNOWN.
        reason: of the refusal.
    """

    what: str
    job: str = ""
    request_id: str = ""
    start_seconds: float = 0.0
    end_seconds: float = 0.0
    outcome: Outcome = Outcome.UNKNOWN
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """A state that somebody was told: by a read, an answer or a watch."""

    job: str
    state: "JobState.ValueType"
    attempt: int = 0
    checkpoint_step: int = 0

    @classmethod
    def of(cls, job: Job) -> "Seen":
        return cls(job.name, job.state, job.attempt, job.checkpoint.step)


@dataclass(slots=True)
class Watching:
    """What one watcher of one job was told.

    Attributes:
        job: its name.
        numbers: of transitions, each as it came; a snapshot counts as all up to its last.
        is_snapshot: for each of `numbers`, whether it came as a snapshot.
        num_breaks: how often the stream had to be opened again.
    """

    job: str
    numbers: list[int] = field(default_factory=list)
    is_snapshot: list[bool] = field(default_factory=list)
    num_breaks: int = 0

    def note(self, message: WatchJobResponse) -> Job | None:
        """Take in a message; the job that it told, if it told one."""
        match message.WhichOneof("update"):
            case "snapshot":
                job = message.snapshot
                self._add(job.transitions[-1].number if job.transitions else 0, is_snapshot=True)
            case "change":
                job = message.change.job
                self._add(message.change.transition.number, is_snapshot=False)
            case _:
                return None
        return job

    def _add(self, number: int, *, is_snapshot: bool) -> None:
        self.numbers.append(number)
        self.is_snapshot.append(is_snapshot)


class History:
    """Everything, in the order in which it began.

    Attributes:
        calls: of clients.
        seen: states that somebody was told.
        watches: what watchers were told.
        measured_from_nanos: steps that were taken before count as nobody's progress; see `forget_steps`.
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.seen: list[Seen] = []
        self.watches: list[Watching] = []
        self.measured_from_nanos = 0

    async def record(self, call: Call, running: Awaitable[Job]) -> Job:
        """Make a call about one job and note its outcome; raises what the call raises."""
        self.calls.append(call)
        call.start_seconds = time.perf_counter()
        try:
            job = await running
        except RemoteError as error:
            call.outcome = Outcome.UNKNOWN if error.code in UNKNOWN_CODES else Outcome.FAIL
            call.reason = error.reason
            raise
        finally:
            call.end_seconds = time.perf_counter()
        call.outcome, call.job = Outcome.OK, job.name
        self.see(job)
        return job

    def forget_steps(self) -> None:
        """Do not measure what was repeated of what was done until now.

        A host was cut off: its checkpoints reached nobody, those on their way included.
        """
        self.measured_from_nanos = time.time_ns()

    def see(self, job: Job) -> None:
        """Note what somebody was told."""
        self.seen.append(Seen.of(job))

    def of(self, what: str, *outcomes: Outcome) -> list[Call]:
        """The calls of a kind, with one of these outcomes; with any when none is given."""
        return [call for call in self.calls if call.what == what and (not outcomes or call.outcome in outcomes)]

    @property
    def acked_submits(self) -> list[Call]:
        """Submissions that were acknowledged."""
        return self.of("create", Outcome.OK)

    def counts(self) -> dict[str, int]:
        """Calls by kind and outcome, for figures: `{"create ok": 40}`."""
        counted: dict[str, int] = {}
        for call in self.calls:
            label = f"{call.what} {call.outcome}"
            counted[label] = counted.get(label, 0) + 1
        return counted
