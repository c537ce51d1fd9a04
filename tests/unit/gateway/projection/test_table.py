"""Rows are order-free, idempotent, one commit with their position; damaged files are never thrown away."""

import os
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.projection.filter_sql import condition_for
from gateway.projection.order import NEWEST_FIRST, ORDER_FIELDS, Order, parse_order
from gateway.projection.page_token import Cursor
from gateway.projection.rows import JobSeen
from gateway.projection.schema import SCHEMA_VERSION, ProjectionDamaged, set_aside
from gateway.projection.table import JobTable
from headway.contract.transitions import claim, request_cancel
from headway.testing.builders import a_record as an_internal_record
from headway.testing.builders import an_infer_spec
from headway.testing.clock import ManualClock
from headway.v1.job_specs_pb2 import EXECUTION_MODE_LOCAL
from headway.v1.records_pb2 import JobRecord
from tests.unit.gateway.builders import NOW, PROJECT, a_host, a_record, a_spec, seen

ALL = condition_for(PROJECT, "")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "projection.db"


@pytest.fixture
def table(path: Path) -> JobTable:
    table = JobTable(path)
    table.begin(NOW)
    return table


def ids(table: JobTable, order: Order = NEWEST_FIRST, after: Cursor | None = None, limit: int = 100) -> list[str]:
    return [row.job_id for row in table.page(ALL, order, after, limit)]


def cancelled(record: JobRecord) -> JobRecord:
    changed = request_cancel(record, message="", now=NOW + timedelta(minutes=1))
    assert changed is not None
    return changed


def test_a_row_gives_the_bytes_and_revision_back(table: JobTable) -> None:
    record = a_record()
    table.apply([seen(record, 7)], 7)
    (row,) = table.page(ALL, NEWEST_FIRST, None, 10)
    assert (JobRecord.FromString(row.data), row.revision) == (record, 7)


def test_an_older_revision_never_replaces_a_newer_one(table: JobTable) -> None:
    record = a_record()
    table.apply([seen(cancelled(record), 9)], 9)
    table.apply([seen(record, 7)], 9)
    (row,) = table.page(ALL, NEWEST_FIRST, None, 10)
    assert row.revision == 9


def test_the_same_batch_twice_changes_nothing(table: JobTable) -> None:
    batch = [seen(a_record(), 1), seen(a_record(), 2)]
    table.apply(batch, 2)
    before = ids(table)
    table.apply(batch, 2)
    assert ids(table) == before
    assert table.count(ALL) == 2


def test_a_deleted_record_leaves_the_list_and_a_later_create_returns(table: JobTable) -> None:
    record = a_record()
    gone = JobSeen(record.job.name.rpartition("/")[2], 5, None, b"")
    table.apply([seen(record, 1)], 1)
    table.apply([gone], 5)
    assert ids(table) == []
    table.apply([seen(record, 6), gone], 6)
    assert len(ids(table)) == 1


def test_the_position_is_kept_over_a_restart(table: JobTable, path: Path) -> None:
    table.apply([seen(a_record(), 42)], 42)
    table.close()
    assert JobTable(path).position() == (NOW, 42)


def test_a_new_file_has_no_position(path: Path) -> None:
    assert JobTable(path).position() == (None, 0)


def test_rows_and_position_are_of_one_commit(table: JobTable) -> None:
    table.apply([seen(a_record(), 1)], 1)
    with pytest.raises(OverflowError):
        # The second row cannot be written: nothing of the batch may stay.
        table.apply([seen(a_record(), 2), JobSeen("x", 2**70, a_record(), b"")], 3)
    assert len(ids(table)) == 1
    assert table.position() == (NOW, 1)


def test_another_stream_keeps_the_rows_until_it_tells_of_them(table: JobTable) -> None:
    """What was in the stream before may be nowhere else."""
    record = a_record()
    table.apply([seen(record, 6)], 6)
    table.begin(NOW + timedelta(days=1))
    assert table.position() == (NOW + timedelta(days=1), 0)
    assert len(ids(table)) == 1
    table.apply([seen(cancelled(record), 1)], 1)
    (row,) = table.page(ALL, NEWEST_FIRST, None, 10)
    assert (row.revision, JobRecord.FromString(row.data)) == (1, cancelled(record))


@pytest.mark.parametrize("order_by", ["", "create_time", "priority", "priority desc", "state", "end_time desc"])
def test_pages_put_together_are_the_whole_list_in_order(table: JobTable, order_by: str) -> None:
    records = [a_record(a_spec(priority=number % 3), now=NOW + timedelta(seconds=number // 4)) for number in range(30)]
    records = [cancelled(record) if number % 5 == 0 else record for number, record in enumerate(records)]
    table.apply([seen(record, number) for number, record in enumerate(records, 1)], 30)
    order = parse_order(order_by)
    whole = table.page(ALL, order, None, 100)
    values = [(*row.order_values, row.job_id) for row in whole]
    assert values == sorted(values, reverse=order.is_descending)
    paged: list[str] = []
    after = None
    while page := table.page(ALL, order, after, 7):
        paged += [row.job_id for row in page]
        after = Cursor(page[-1].order_values, page[-1].job_id)
    assert paged == [row.job_id for row in whole]
    assert len(paged) == 30


@pytest.mark.parametrize("column", ORDER_FIELDS)
def test_a_page_is_answered_from_an_index(table: JobTable, column: str) -> None:
    statements: list[str] = []
    table._connection.set_trace_callback(statements.append)
    order = Order(column, is_descending=True)
    table.page(condition_for("demo", ""), order, Cursor(tuple(5 for _ in order.columns), "x"), 10)
    table._connection.set_trace_callback(None)
    plan = table._connection.execute(f"EXPLAIN QUERY PLAN {statements[0]}").fetchall()
    assert f"jobs_by_{column}" in plan[0][3]
    assert "TEMP B-TREE" not in str(plan)


@pytest.mark.parametrize("num_rows", [1, 7, 8, 63, 64, 65, 200])
def test_a_batch_of_any_size_is_written_whole(table: JobTable, num_rows: int) -> None:
    records = [a_record() for _ in range(num_rows)]
    table.apply([seen(record, number) for number, record in enumerate(records, 1)], num_rows)
    assert sorted(ids(table, limit=num_rows + 1)) == sorted(record.job.name.rpartition("/")[2] for record in records)


def test_another_projects_jobs_are_not_listed(table: JobTable) -> None:
    table.apply([seen(a_record(), 1)], 1)
    assert table.page(condition_for("other", ""), NEWEST_FIRST, None, 10) == []
    # Whatever the filter says, the project binds all of it.
    assert table.page(condition_for("other", "state = QUEUED OR kind = tabular_train"), NEWEST_FIRST, None, 10) == []


def test_queued_jobs_are_told_with_project_and_key(table: JobTable) -> None:
    waiting, running = a_record(), a_record()
    running = claim(running, host=a_host(), mode=EXECUTION_MODE_LOCAL, fallback_reason="", now=NOW)
    table.apply([seen(waiting, 1), seen(running, 2)], 2)
    assert [(row.project, row.key_id) for row in table.queued()] == [(PROJECT, "key1")]


def test_the_jobs_ahead_are_those_of_more_priority_and_those_before(table: JobTable) -> None:
    urgent = a_record(a_spec(priority=9), now=NOW + timedelta(hours=1))
    early, mine, late = (a_record(now=NOW + timedelta(minutes=minute)) for minute in (1, 2, 3))
    too_late = a_record(a_spec(priority=1), now=NOW + timedelta(minutes=63))
    table.apply([seen(record, number) for number, record in enumerate([urgent, early, mine, late, too_late], 1)], 5)
    assert table.num_ahead(PROJECT, mine.job.name.rpartition("/")[2]) == 2


def test_contains_sees_what_was_applied(table: JobTable) -> None:
    record = a_record()
    job_id = record.job.name.rpartition("/")[2]
    assert not table.contains(job_id)
    table.apply([seen(record, 1)], 1)
    assert table.contains(job_id)


@pytest.mark.parametrize("damage", [b"not a database at all", b"SQLite format 3\x00" + b"\xff" * 4096])
def test_a_damaged_file_is_refused_and_left_as_it_is_f13(path: Path, damage: bytes) -> None:
    path.write_bytes(damage)
    with pytest.raises(ProjectionDamaged):
        JobTable(path)
    assert path.read_bytes() == damage


def test_a_damaged_file_can_be_set_aside_for_another_f13(path: Path, clock: ManualClock) -> None:
    path.write_bytes(b"not a database at all")
    aside = set_aside(path, clock)
    table = JobTable(path)
    table.begin(NOW)
    table.apply([seen(a_record(), 1)], 1)
    assert len(ids(table)) == 1
    assert aside.read_bytes() == b"not a database at all"


def test_a_flipped_page_is_noticed_f13(table: JobTable, path: Path) -> None:
    table.apply([seen(a_record(), number) for number in range(1, 200)], 200)
    table.close()
    content = bytearray(path.read_bytes())
    content[4096 * 2 : 4096 * 6] = b"\x5a" * (4096 * 4)
    path.write_bytes(content)
    with pytest.raises(ProjectionDamaged):
        JobTable(path)


def test_a_flipped_bit_of_a_record_is_noticed_f13(table: JobTable, path: Path) -> None:
    """SQLite has no check of its own for what is inside of a cell."""
    record = a_record(user_id="somebody-with-a-name-of-its-own")
    table.apply([seen(record, 1)], 1)
    table.close()
    content = bytearray(path.read_bytes())
    # The column comes first; the last occurrence is the one inside of the record's bytes.
    place = content.rindex(b"somebody-with-a-name-of-its-own")
    content[place + 3] ^= 1
    path.write_bytes(content)
    with pytest.raises(ProjectionDamaged, match="gone bad"):
        JobTable(path)


def test_a_truncated_journal_goes_back_to_the_last_whole_commit_f13(
    table: JobTable, path: Path, tmp_path: Path
) -> None:
    for number in range(1, 50):
        table.apply([seen(a_record(), number)], number)
    killed = tmp_path / "killed"
    killed.mkdir()
    # As a kill leaves it: rows in the journal that are not in the file yet.
    for suffix in ("", "-wal"):
        (killed / f"projection.db{suffix}").write_bytes(path.with_name(path.name + suffix).read_bytes())
    journal = killed / "projection.db-wal"
    os.truncate(journal, journal.stat().st_size * 2 // 3)
    found = JobTable(killed / "projection.db")
    _, last_sequence = found.position()
    assert 0 < last_sequence < 49
    assert len(ids(found)) == last_sequence, "rows and position are of one commit"


def test_a_file_of_a_newer_release_is_refused_f13(table: JobTable, path: Path) -> None:
    table.apply([seen(a_record(), 1)], 1)
    table.close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    with pytest.raises(ProjectionDamaged, match="schema version"):
        JobTable(path)


def test_a_file_of_the_release_before_keeps_its_rows(table: JobTable, path: Path) -> None:
    record = a_record()
    table.apply([seen(record, 7)], 7)
    table.close()
    connection = sqlite3.connect(path)
    connection.executescript(
        "ALTER TABLE jobs DROP COLUMN checksum; DROP TABLE records; DROP TABLE positions; DROP TABLE store;"
        "PRAGMA user_version = 2;"
    )
    connection.close()
    brought_up = JobTable(path)
    assert brought_up.position() == (NOW, 7)
    (row,) = brought_up.page(ALL, NEWEST_FIRST, None, 10)
    assert JobRecord.FromString(row.data) == record


def test_internal_jobs_stand_apart(table: JobTable) -> None:
    mine, internal = a_record(), an_internal_record(an_infer_spec(), now=NOW)
    table.apply([seen(mine, 1), seen(internal, 2)], 2)
    internal_id = seen(internal, 2).job_id

    assert ids(table) == [seen(mine, 1).job_id]
    assert table.count(ALL) == 1
    assert [row.job_id for row in table.queued()] == [seen(mine, 1).job_id]
    assert [(row.job_id, row.revision, row.end_time) for row in table.internal()] == [(internal_id, 2, 0)]
    assert [job_id for job_id, _, _ in table.records()].count(internal_id) == 1

    table.forget(internal_id)
    assert not list(table.internal())
    assert ids(table) == [seen(mine, 1).job_id]
