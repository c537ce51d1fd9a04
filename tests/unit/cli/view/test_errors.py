import pytest

from headway.cli.view.errors import next_command, show_error
from headway.client import RemoteError
from headway.contract.errors import Code, HeadwayError, InvalidArgument, NotFound, Violation


@pytest.mark.parametrize(
    ("error", "command"),
    [
        (RemoteError(Code.UNAVAILABLE, "UNAVAILABLE", "away"), "doctor"),
        (RemoteError(Code.UNAUTHENTICATED, "MISSING_KEY", "no key"), "--key-file"),
        (RemoteError(Code.FAILED_PRECONDITION, "NO_GPU_HOST", "no GPU"), "hosts list"),
        (NotFound("projects/default/jobs/jx does not exist"), "jobs list"),
        (NotFound("it does not exist", metadata={"name": "projects/default/models/x"}), "models list"),
        (
            RemoteError(Code.ALREADY_EXISTS, "REQUEST_ID_REUSED", "used", metadata={"job": "projects/p/jobs/jx"}),
            "jobs get jx",
        ),
        (InvalidArgument("wrong"), ""),
    ],
)
def test_an_error_leads_to_the_next_command(error: HeadwayError | RemoteError, command: str) -> None:
    assert next_command(error).startswith(command)


def test_violations_are_a_table_and_not_said_twice(capsys: pytest.CaptureFixture[str]) -> None:
    violation = Violation("job.spec.tabular_train.epochs", "OUT_OF_RANGE", "9000 is out of range", "1 to 500", "500")
    show_error(RemoteError(Code.INVALID_ARGUMENT, "OUT_OF_RANGE", str(violation), violations=(violation,)))
    told = capsys.readouterr().err
    assert "a field is refused" in told
    assert told.count("9000") == 1
    assert "  tabular_train.epochs" in told
    assert "1 to 500" in told


def test_a_message_that_says_more_than_the_table_stays(capsys: pytest.CaptureFixture[str]) -> None:
    show_error(InvalidArgument("job.yaml has 2 faults", violations=[Violation("a", "X", "wrong")]))
    assert "job.yaml has 2 faults" in capsys.readouterr().err


def test_square_brackets_are_only_brackets(capsys: pytest.CaptureFixture[str]) -> None:
    show_error(InvalidArgument("[bold]a[0][/]", violations=[Violation("tags[0]", "X", "wrong [red]")]))
    told = capsys.readouterr().err
    assert "[bold]a[0][/]" in told
    assert "tags[0]" in told
    assert "wrong [red]" in told


def test_the_request_id_is_told_for_the_logs(capsys: pytest.CaptureFixture[str]) -> None:
    show_error(RemoteError(Code.INTERNAL, "INTERNAL", "Internal error", request_id="r-1"))
    assert "r-1" in capsys.readouterr().err
