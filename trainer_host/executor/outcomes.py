"""Turns whatever an attempt ends with into its outcome: finished, failed with a class and a reason, or stopped."""

import errno
import traceback

from headway.contract.errors import HeadwayError
from headway.contract.limits import LOG_MESSAGE_MAX_CHARACTERS
from headway.contract.recipes import FailureClass, RecipeFailure, StopRequested
from headway.runtime.clock import Clock
from headway.runtime.redaction import Redactor
from trainer_host.attempt_failure import MEMORY_ADVICE
from trainer_host.child_messages import Failed, Log, LogLevel, Stopped
from trainer_host.executor.attempts import Attempt
from trainer_host.executor.training import Executor, Outcome
from trainer_host.reports import Report

_DISK_FULL = {errno.ENOSPC, errno.EDQUOT}
_FAULTS_NAMED = 8
_NO_MEMORY = ("out of memory", "can't allocate memory", "cannot allocate memory", "not enough memory")
"""How torch says it on a CPU and in its older releases on a GPU: as a RuntimeError that is told by its text alone."""


class OutcomeExecutor:
    """Wraps an executor so that `execute` never raises."""

    def __init__(self, inner: Executor, clock: Clock) -> None:
        self._inner = inner
        self._clock = clock
        self._redactor = Redactor()

    def check_ready(self, kind: str) -> None:
        """Return when attempts of a kind can be run."""
        self._inner.check_ready(kind)

    def execute(self, attempt: Attempt, report: Report) -> Outcome:
        """Run an attempt to its end, whatever that is."""
        try:
            return self._inner.execute(attempt, report)
        except StopRequested:
            # The token's reason, since a second wish may have overruled the one that was raised.
            why = attempt.token.reason or "CANCEL"
            self._log(report, f"stopped after {attempt.num_steps_done} steps: {why}", level="info")
            return Stopped(reason=why, step=attempt.num_steps_done)
        except Exception as error:  # noqa: BLE001 - the attempt fails, and the child says why before it ends
            failure_class, reason, message = classify(error)
            if reason == "INTERNAL":
                self._log(report, "".join(traceback.format_exception(error)))
            message = self._redactor.clean(message)
            self._log(report, f"{reason}: {message}")
            return Failed(
                failure_class=failure_class.value, reason=reason, message=message, step=attempt.num_steps_done
            )

    def _log(self, report: Report, text: str, *, level: LogLevel = "error") -> None:
        # The end of a traceback says more than its beginning.
        message = self._redactor.clean(text)[-LOG_MESSAGE_MAX_CHARACTERS:]
        report.log(Log(time=self._clock.now().timestamp(), level=level, message=message))


def classify(error: Exception) -> tuple[FailureClass, str, str]:
    """Class, reason and message of an error that ended an attempt.

    Raises nothing: what it does not know is FATAL / INTERNAL, whose message names only the error's type, since the text
    of a foreign error may hold anything.
    """
    if isinstance(error, RecipeFailure):
        return error.failure_class, error.reason, error.message
    if isinstance(error, HeadwayError):
        faults = "; ".join(str(violation) for violation in error.violations[:_FAULTS_NAMED])
        return FailureClass.USER_INPUT, error.reason, faults or error.message
    if is_out_of_memory(error):
        return FailureClass.TRANSIENT, "OUT_OF_MEMORY", f"the training process ran out of memory; {MEMORY_ADVICE}"
    if isinstance(error, OSError):
        if error.errno in _DISK_FULL:
            return FailureClass.TRANSIENT, "DISK_FULL", "the host's disk is full"
        return FailureClass.TRANSIENT, "IO_ERROR", f"reading or writing on the host failed: {error.strerror or 'I/O'}"
    name = type(error).__name__
    return FailureClass.FATAL, "INTERNAL", f"the recipe raised {name}; the log of the job says where"


def is_out_of_memory(error: Exception) -> bool:
    """Whether memory ran out, by whatever name the libraries call it."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _NO_MEMORY)
