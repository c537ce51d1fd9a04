import pytest

from headway.cli.epilog import EXIT_CODES, epilog
from headway.cli.exit_codes import ExitCode, exit_code_of_error, exit_code_of_job
from headway.contract.errors import Code
from headway.v1.jobs_pb2 import (
    JOB_STATE_CANCELLED,
    JOB_STATE_EVAL_FAILED,
    JOB_STATE_FAILED,
    JOB_STATE_RUNNING,
    JOB_STATE_SUCCEEDED,
    JobState,
)


def test_every_exit_code_is_documented_and_none_that_does_not_exist() -> None:
    assert [code for code, _ in EXIT_CODES] == [code.value for code in ExitCode]
    assert all(meaning.partition(";")[0] in epilog() for _, meaning in EXIT_CODES)


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [
        (Code.INVALID_ARGUMENT, 2),
        (Code.OUT_OF_RANGE, 2),
        (Code.NOT_FOUND, 3),
        (Code.UNAUTHENTICATED, 4),
        (Code.PERMISSION_DENIED, 4),
        (Code.FAILED_PRECONDITION, 5),
        (Code.RESOURCE_EXHAUSTED, 5),
        (Code.ALREADY_EXISTS, 5),
        (Code.ABORTED, 5),
        (Code.UNIMPLEMENTED, 5),
        (Code.UNAVAILABLE, 6),
        (Code.DEADLINE_EXCEEDED, 7),
        (Code.INTERNAL, 1),
        (Code.DATA_LOSS, 1),
    ],
)
def test_the_exit_code_of_an_error(code: Code, exit_code: int) -> None:
    assert exit_code_of_error(code) == exit_code


@pytest.mark.parametrize(
    ("state", "exit_code"),
    [
        (JOB_STATE_SUCCEEDED, 0),
        (JOB_STATE_RUNNING, 0),
        (JOB_STATE_FAILED, 1),
        (JOB_STATE_CANCELLED, 1),
        (JOB_STATE_EVAL_FAILED, 1),
    ],
)
def test_the_exit_code_of_a_job(state: "JobState.ValueType", exit_code: int) -> None:
    assert exit_code_of_job(state) == exit_code
