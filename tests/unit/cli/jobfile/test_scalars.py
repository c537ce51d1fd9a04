import pytest

from headway.cli.jobfile.scalars import NotThatType, duration, enum_words, timestamp
from headway.cli.jobfile.tree import Scalar, ScalarKind
from headway.v1.job_specs_pb2 import ExecutionMode, TabularTask


def text(value: str) -> Scalar:
    return Scalar(value, ScalarKind.TEXT)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("90s", 90), ("10m", 600), ("1h 30m", 5400), ("1h30m", 5400), ("2d", 172800), ("1.5h", 5400), ("500ms", 0.5)],
)
def test_durations_are_written_in_parts(written: str, seconds: float) -> None:
    assert duration(text(written)).total_seconds() == seconds


def test_a_bare_number_is_seconds() -> None:
    assert duration(Scalar("90", ScalarKind.WHOLE)).total_seconds() == 90


@pytest.mark.parametrize("written", ["", "soon", "5 fortnights", "-5s", "10m tomorrow"])
def test_what_is_no_duration_is_refused(written: str) -> None:
    with pytest.raises(NotThatType):
        duration(text(written))


def test_a_negative_number_is_no_duration() -> None:
    with pytest.raises(NotThatType):
        duration(Scalar("-5", ScalarKind.WHOLE))


def test_enum_values_have_short_names() -> None:
    assert enum_words(ExecutionMode.DESCRIPTOR) == {"auto": 1, "local": 2, "host": 3}
    assert enum_words(TabularTask.DESCRIPTOR) == {"auto": 1, "classification": 2, "regression": 3}


def test_a_time_without_a_zone_is_utc() -> None:
    assert timestamp(text("2026-11-01T12:00:00")).isoformat() == "2026-11-01T12:00:00+00:00"
    assert timestamp(text("2026-11-01T12:00:00Z")).isoformat() == "2026-11-01T12:00:00+00:00"
    with pytest.raises(NotThatType):
        timestamp(text("yesterday"))
