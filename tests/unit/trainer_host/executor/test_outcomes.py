import errno
from pathlib import Path

import pytest

from headway.contract.errors import OutOfRange
from headway.contract.recipes import (
    FailureClass,
    FatalFailure,
    StopRequested,
    TransientFailure,
    UserInputFailure,
)
from headway.runtime.clock import SystemClock
from headway.testing.toy_recipe import ToySpec
from tests.attempt_runs import an_order, failed, run
from trainer_host.cancellation import CancellationToken
from trainer_host.child_messages import Stopped
from trainer_host.executor import Attempt, Outcome, OutcomeExecutor
from trainer_host.executor.outcomes import classify
from trainer_host.reports import MemoryReport, Report


class OutOfMemoryError(RuntimeError):
    """As torch's, by its name."""


@pytest.mark.parametrize(
    ("error", "failure_class", "reason"),
    [
        (UserInputFailure("DEGENERATE_TARGET", "x"), FailureClass.USER_INPUT, "DEGENERATE_TARGET"),
        (TransientFailure("BUSY", "x"), FailureClass.TRANSIENT, "BUSY"),
        (FatalFailure("DIVERGED", "x"), FailureClass.FATAL, "DIVERGED"),
        (OutOfRange("x"), FailureClass.USER_INPUT, "OUT_OF_RANGE"),
        (MemoryError(), FailureClass.TRANSIENT, "OUT_OF_MEMORY"),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
            FailureClass.TRANSIENT,
            "OUT_OF_MEMORY",
        ),
        (RuntimeError("CUDA error: out of memory"), FailureClass.TRANSIENT, "OUT_OF_MEMORY"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), FailureClass.TRANSIENT, "OUT_OF_MEMORY"),
        (OutOfMemoryError(), FailureClass.TRANSIENT, "OUT_OF_MEMORY"),
        (OSError(errno.ENOSPC, "No space left on device"), FailureClass.TRANSIENT, "DISK_FULL"),
        (OSError(errno.EIO, "Input/output error"), FailureClass.TRANSIENT, "IO_ERROR"),
        (ValueError("x"), FailureClass.FATAL, "INTERNAL"),
    ],
)
def test_the_one_at_fault_decides_about_another_attempt(
    error: Exception, failure_class: FailureClass, reason: str
) -> None:
    assert classify(error)[:2] == (failure_class, reason)


class RaisingExecutor:
    def __init__(self, error: Exception) -> None:
        self._error = error

    def check_ready(self, kind: str) -> None:
        raise self._error

    def execute(self, attempt: Attempt, report: Report) -> Outcome:
        attempt.num_steps_done = 5
        raise self._error


def end_with(error: Exception, folder: Path, *, reason: str = "") -> tuple[Outcome, MemoryReport]:
    report, token = MemoryReport(), CancellationToken()
    if reason == "CANCEL":
        token.cancel("CANCEL")
    attempt = Attempt(an_order(folder, ToySpec().job_spec()), token)
    return OutcomeExecutor(RaisingExecutor(error), SystemClock()).execute(attempt, report), report


def test_a_failure_says_how_far_the_attempt_was(tmp_path: Path) -> None:
    outcome, _ = end_with(TransientFailure("BUSY", "try again"), tmp_path)

    assert failed(outcome).step == 5
    assert failed(outcome).message == "try again"


def test_a_failure_holds_no_path_and_no_secret(tmp_path: Path) -> None:
    message = "cannot read /srv/someone/private/table.csv with token=abcdef123456"
    outcome, report = end_with(UserInputFailure("INVALID_TABLE", message), tmp_path)

    for text in (failed(outcome).message, *(line.message for line in report.lines)):
        assert "someone" not in text
        assert "abcdef123456" not in text


def test_the_text_of_an_unknown_error_stays_in_the_log(tmp_path: Path) -> None:
    outcome, report = end_with(ValueError("rows of the customer in /srv/someone/private/table.csv"), tmp_path)

    assert "customer" not in failed(outcome).message
    assert not any("someone" in line.message for line in report.lines), "and even there without the path"
    assert "ValueError" in failed(outcome).message
    assert any("Traceback" in line.message and line.level == "error" for line in report.lines)


def test_a_wish_that_came_later_overrules_the_one_that_was_raised(tmp_path: Path) -> None:
    outcome, _ = end_with(StopRequested("PAUSE"), tmp_path, reason="CANCEL")

    assert outcome == Stopped(reason="CANCEL", step=5)


def test_a_kind_without_a_recipe_fails_with_the_kinds_name(tmp_path: Path) -> None:
    outcome = failed(run(an_order(tmp_path, ToySpec().job_spec(), kind="no_such_kind")))

    assert (outcome.failure_class, outcome.reason) == ("FATAL", "KIND_UNAVAILABLE")
    assert "no_such_kind" in outcome.message


def test_a_spec_that_this_host_cannot_read_is_refused(tmp_path: Path) -> None:
    outcome = failed(run(an_order(tmp_path, ToySpec().job_spec(), spec_json='{"colour": "red"}')))

    assert (outcome.failure_class, outcome.reason) == ("USER_INPUT", "INVALID_SPEC")
