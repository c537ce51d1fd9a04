"""What the exit code of `headway` tells a script."""

from enum import IntEnum

from headway.contract.errors import Code
from headway.contract.states import TERMINAL_STATES
from headway.v1.jobs_pb2 import JOB_STATE_SUCCEEDED, JobState


class ExitCode(IntEnum):
    """Every exit code; `MEANINGS` says when."""

    OK = 0
    JOB_FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    UNAUTHORISED = 4
    REFUSED = 5
    UNAVAILABLE = 6
    TIMEOUT = 7
    INTERRUPTED = 130


_BY_CODE = {
    Code.INVALID_ARGUMENT: ExitCode.USAGE,
    Code.OUT_OF_RANGE: ExitCode.USAGE,
    Code.NOT_FOUND: ExitCode.NOT_FOUND,
    Code.UNAUTHENTICATED: ExitCode.UNAUTHORISED,
    Code.PERMISSION_DENIED: ExitCode.UNAUTHORISED,
    Code.FAILED_PRECONDITION: ExitCode.REFUSED,
    Code.RESOURCE_EXHAUSTED: ExitCode.REFUSED,
    Code.ALREADY_EXISTS: ExitCode.REFUSED,
    Code.ABORTED: ExitCode.REFUSED,
    Code.UNIMPLEMENTED: ExitCode.REFUSED,
    Code.UNAVAILABLE: ExitCode.UNAVAILABLE,
    Code.DEADLINE_EXCEEDED: ExitCode.TIMEOUT,
}


def exit_code_of_error(code: Code) -> ExitCode:
    """The exit code for an error's status code; a fault of headway itself is 1."""
    return _BY_CODE.get(code, ExitCode.JOB_FAILED)


def exit_code_of_job(state: "JobState.ValueType") -> ExitCode:
    """The exit code after waiting for a job: 0 when it succeeded or has not ended, else 1."""
    return ExitCode.JOB_FAILED if state in TERMINAL_STATES and state != JOB_STATE_SUCCEEDED else ExitCode.OK
