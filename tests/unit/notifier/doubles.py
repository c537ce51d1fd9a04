"""Events as services publish them, and a sink that a test can break."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

from headway.contract.host_facts import HostFacts
from headway.contract.ids import new_job_id
from headway.contract.transitions import (
    Submission,
    claim,
    commit_result,
    fail_attempt,
    request_cancel,
    submit,
)
from headway.testing.life_events import events_of
from headway.v1.job_specs_pb2 import EXECUTION_MODE_LOCAL, JobSpec, TabularTrainSpec
from headway.v1.jobs_pb2 import (
    FAILURE_CLASS_FATAL,
    Admission,
    Bundle,
    Failure,
    JobResult,
    ResultSummary,
)
from headway.v1.records_pb2 import JobRecord
from notifier.decode import decode
from notifier.happening import Happening
from notifier.messages import Message
from notifier.sinks import SinkUnavailable

HOST = HostFacts("hosts/a", EXECUTION_MODE_LOCAL, 1, 2, 1024, (), frozenset({"tabular_train"}), True, False)


def a_running_job(now: datetime, *, job_id: str = "", display_name: str = "iris") -> JobRecord:
    """Submitted and claimed; two events."""
    spec = JobSpec(display_name=display_name, tabular_train=TabularTrainSpec(target_column="y", epochs=50))
    submission = Submission(
        name=f"projects/demo/jobs/{job_id or new_job_id()}",
        spec=spec,
        kind="tabular_train",
        user_id="ada",
        admission=Admission(),
    )
    return claim(submit(submission, now=now), host=HOST, mode=EXECUTION_MODE_LOCAL, fallback_reason="", now=now)


def a_finished_job(now: datetime, *, job_id: str = "") -> JobRecord:
    """Submitted, claimed, evaluated, completed; four events."""
    summary = ResultSummary(
        metrics={"train_loss": 0.25, "accuracy": 0.96}, headline_metric="accuracy", headline_value=0.96
    )
    result = JobResult(bundle=Bundle(digest="sha256:" + "0" * 64), attempt=1, summary=summary)
    return commit_result(a_running_job(now, job_id=job_id), host="hosts/a", result=result, now=now)


def a_failed_job(now: datetime, *, message: str = "the disk is full") -> JobRecord:
    """Submitted, claimed, failed; three events."""
    failure = Failure(failure_class=FAILURE_CLASS_FATAL, reason="DISK_FULL", message=message)
    return fail_attempt(a_running_job(now), attempt=1, failure=failure, now=now)


def a_cancelled_job(now: datetime, *, message: str) -> JobRecord:
    """Submitted and cancelled; two events."""
    running = a_running_job(now)
    queued = submit(
        Submission(
            name=running.job.name,
            spec=running.job.spec,
            kind=running.job.kind,
            user_id="ada",
            admission=Admission(),
        ),
        now=now,
    )
    cancelled = request_cancel(queued, message=message, now=now)
    assert cancelled is not None
    return cancelled


def happenings_of(record: JobRecord) -> list[Happening]:
    """Every event of a job as the notifier reads it."""
    return [decode(event.subject, event.body) for event in events_of(record)]


class TestableSink:
    """Keeps what it takes; a test may tell it to fail."""

    __test__ = False

    def __init__(self, failures: Sequence[Exception] = ()) -> None:
        self.taken: list[Message] = []
        self.tried: list[Message] = []
        self.num_tries = 0
        self.is_out = False
        self.unwanted: set[str] = set()
        self._num_left: int | None = None
        self.failures = list(failures)
        self.hangs = False
        self.poison = ""

    @property
    def name(self) -> str:
        return "test"

    def wants(self, happening: Happening) -> bool:
        return happening.event not in self.unwanted

    async def send(self, message: Message) -> None:
        self.num_tries += 1
        self.tried.append(message)
        if self.failures:
            raise self.failures.pop(0)
        if self.poison in [section.event for section in message.sections]:
            raise ZeroDivisionError
        if self.is_out and not self.hangs:
            raise SinkUnavailable("out of order")
        if not self.is_out:
            self.taken.append(message)
        if self.hangs:
            await asyncio.Event().wait()
        if self._num_left is not None:
            self._num_left -= 1
            self.is_out = self._num_left == 0

    def fail_after(self, num_messages: int) -> None:
        """Take so many more, and then none."""
        self._num_left = num_messages

    @property
    def events(self) -> list[str]:
        """The events taken, in order, by their last word."""
        return [event.rpartition(".")[2] for message in self.taken for event in _events(message)]

    @property
    def heads(self) -> list[str]:
        """As `events`, without those that were folded into later ones."""
        return [section.event.rpartition(".")[2] for message in self.taken for section in message.sections]

    @property
    def event_ids(self) -> list[str]:
        """Ids of the events taken, in order."""
        return [event_id for message in self.taken for section in message.sections for event_id in section.event_ids]


def _events(message: Message) -> list[str]:
    return [event for section in message.sections for event in (*(e.event for e in section.earlier), section.event)]
