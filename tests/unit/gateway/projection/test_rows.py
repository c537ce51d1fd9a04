"""Columns of a row."""

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.projection.rows import TAG_SEPARATOR, checksum, microseconds, project_of, row_of
from headway.contract.times import timestamp
from tests.unit.gateway.builders import NOW, PROJECT, a_record, a_spec, seen


def test_a_row_holds_what_lists_ask_for() -> None:
    record = a_record(a_spec(display_name="one", tags=["red", "blue"], priority=3))
    row = row_of(seen(record, 5), record)
    assert row[1:7] == (5, PROJECT, record.job.state, "tabular_train", "ada", "one")
    assert TAG_SEPARATOR.join(["", "red", "blue", ""]) in row
    assert row[-2:] == (record.SerializeToString(), checksum(record.SerializeToString()))


def test_times_are_exact_and_an_unset_one_is_zero() -> None:
    assert microseconds(timestamp(NOW.replace(microsecond=123457))) % 1_000_000 == 123457
    assert microseconds(Timestamp()) == 0


def test_the_project_is_read_from_a_name_and_from_nothing_else() -> None:
    assert project_of("projects/demo/jobs/j1") == "demo"
    assert project_of("") == project_of("demo") == ""
