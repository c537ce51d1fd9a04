"""Filters against real rows."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.projection.filter_sql import FILTER_FIELDS, condition_for
from gateway.projection.order import NEWEST_FIRST
from gateway.projection.table import JobTable
from headway.contract.errors import InvalidFilter
from headway.contract.transitions import claim, request_cancel
from headway.testing.builders import a_record as an_internal_record
from headway.testing.builders import an_infer_spec
from headway.v1.job_specs_pb2 import EXECUTION_MODE_HOST
from tests.unit.gateway.builders import NOW, PROJECT, a_host, a_record, a_spec, seen

Matches = Callable[[str], list[str]]


@pytest.fixture
def matches(tmp_path: Path) -> Matches:
    """Display names of the jobs that match: one is queued, one runs on hosts/far, one was cancelled."""
    table = JobTable(tmp_path / "projection.db")
    table.begin(NOW)
    queued = a_record(a_spec(display_name="iris one", tags=["red", "blue"], priority=5))
    running = a_record(a_spec(display_name="iris two", tags=["redder"]), now=NOW + timedelta(hours=1), user_id="bob")
    running = claim(running, host=a_host(name="hosts/far"), mode=EXECUTION_MODE_HOST, fallback_reason="", now=NOW)
    wine = a_record(a_spec(display_name="wine [a]*?", priority=-7), now=NOW + timedelta(hours=2))
    cancelled = request_cancel(wine, message="", now=NOW + timedelta(hours=3))
    assert cancelled is not None
    table.apply([seen(record, number) for number, record in enumerate([queued, running, cancelled], 1)], 3)

    def find(text: str) -> list[str]:
        rows = table.page(condition_for(PROJECT, text), NEWEST_FIRST, None, 10)
        names = {
            record.job.name.rpartition("/")[2]: record.job.spec.display_name for record in (queued, running, cancelled)
        }
        return sorted(names[row.job_id] for row in rows)

    return find


ONE, TWO, WINE = "iris one", "iris two", "wine [a]*?"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [ONE, TWO, WINE]),
        ("state = QUEUED", [ONE]),
        ("state = queued", [ONE]),
        ("state != QUEUED", [TWO, WINE]),
        ("NOT state = QUEUED", [TWO, WINE]),
        ("state = QUEUED OR state = RUNNING", [ONE, TWO]),
        ("state = QUEUED AND state = RUNNING", []),
        ("kind = tabular_train", [ONE, TWO, WINE]),
        ("kind = tabular*", [ONE, TWO, WINE]),
        ('display_name = "iris*"', [ONE, TWO]),
        ('display_name != "iris*"', [WINE]),
        ('display_name = "*[a]*"', [WINE]),
        ('display_name = "wine [a]*?"', [WINE]),
        ("display_name : one", [ONE]),
        ("user_id = bob", [TWO]),
        ("user_id : *", [ONE, TWO, WINE]),
        ("mode = host", [TWO]),
        ("host = far", [TWO]),
        ("host = hosts/far", [TWO]),
        ("host : *", [TWO]),
        ("priority > 0", [ONE]),
        ("priority = -7", [WINE]),
        ("priority <= 0", [TWO, WINE]),
        ('create_time >= "2026-11-22T13:00:00Z"', [TWO, WINE]),
        ('create_time < "2026-11-22T14:00:00+01:00"', [ONE]),
        ('end_time > "2000-01-01T00:00:00Z"', [WINE]),
        # A job that is not over has no end: it is neither before nor after anything.
        ('end_time < "2100-01-01T00:00:00Z"', [WINE]),
        ("tags : red", [ONE]),
        ("tags : *", [ONE, TWO]),
        ("NOT tags : red", [TWO, WINE]),
    ],
)
def test_a_filter_finds_what_it_says(matches: Matches, text: str, expected: list[str]) -> None:
    assert matches(text) == expected


@pytest.mark.parametrize(
    "text",
    ['display_name = "\' OR 1=1 --"', 'user_id = "\'; DROP TABLE jobs; --"', 'tags : "%"', "kind = \"x' OR 'x'='x\""],
)
def test_text_of_a_caller_never_becomes_sql(matches: Matches, text: str) -> None:
    assert matches(text) == []
    assert matches("") == [ONE, TWO, WINE]


@pytest.mark.parametrize(
    ("text", "suggested"),
    [
        ("stat = QUEUED", "state"),
        ("sate = QUEUED", "state"),
        ("prio = 3", "priority"),
        ("zzz = 1", ""),
        ("record = 1", ""),
    ],
)
def test_an_unknown_field_names_those_that_there_are_and_the_nearest(
    matches: Matches, text: str, suggested: str
) -> None:
    with pytest.raises(InvalidFilter) as caught:
        matches(text)
    (violation,) = caught.value.violations
    assert all(field in violation.allowed for field in FILTER_FIELDS)
    assert violation.suggested == suggested


@pytest.mark.parametrize(
    ("text", "suggested"),
    [
        ("state = RUNING", "RUNNING"),
        ("state > QUEUED", ""),
        ("mode = cloud", ""),
        ("mode = auto", ""),
        ("priority = high", ""),
        ("priority = ٣", ""),
        ("priority : 3", ""),
        ("create_time > yesterday", '"2026-11-01T00:00:00Z"'),
        ("tags = red", ""),
        ("display_name > a", ""),
    ],
)
def test_a_value_of_another_type_is_refused_with_what_fits(matches: Matches, text: str, suggested: str) -> None:
    with pytest.raises(InvalidFilter) as caught:
        matches(text)
    (violation,) = caught.value.violations
    assert violation.allowed
    assert violation.suggested == suggested


def test_times_keep_their_microseconds() -> None:
    moment = datetime(2026, 11, 22, 12, 0, 0, 123457, tzinfo=UTC)
    condition = condition_for(PROJECT, f'create_time = "{moment.isoformat()}"')
    assert condition.arguments[-1] == 1795348800123457


def test_internal_jobs_are_found_by_their_kind_alone(tmp_path: Path) -> None:
    table = JobTable(tmp_path / "projection.db")
    table.begin(NOW)
    mine, internal = a_record(), an_internal_record(an_infer_spec())
    table.apply([seen(mine, 1), seen(internal, 2)], 2)

    def find(text: str) -> list[int]:
        return sorted(row.revision for row in table.page(condition_for(PROJECT, text), NEWEST_FIRST, None, 10))

    assert find("") == find("state = QUEUED") == find("kind != infer") == find("kind = tabular_train") == [1]
    assert find("kind = infer") == find('kind:"infer" AND state = QUEUED') == [2]
    assert find("kind = infer OR kind = tabular_train") == find("NOT (kind = infer AND state = FAILED)") == [1, 2]
