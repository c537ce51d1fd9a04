"""The report says what the run found: it finds the tests that hold a row, and shows failures, gaps and figures."""

import json
from pathlib import Path

import pytest

from tests.fault import figures, report
from tests.fault.catalogue import find_tests, ids_in
from tests.fault.figures import Figure, read, record
from tests.fault.matrix import PROMISES, ROWS
from tests.fault.outcomes import holders, read_cases
from tests.fault.page import Bug, Notes, Run, read_notes, render
from tests.fault.summary import percentile, summarize

_MODULE = '''"""About a link (F30)."""
import pytest

@pytest.mark.long
def test_a_cut_is_healed(): "Nothing of its own."

async def test_it_is_slow_f34(): "P11, too."

@pytest.mark.parametrize("case", ["F31-F34-answers", "F32 requests"])
def test_each_way(case): "F33"
'''
_RESULTS = """<testsuites><testsuite>
<testcase classname="tests.fault.test_link" name="test_it_is_slow_f34" time="1.5"/>
<testcase classname="tests.fault.test_link" name="test_each_way[F31-F34-answers]" time="0.5"/>
<testcase classname="tests.fault.test_link" name="test_each_way[F32 requests]" time="2"><failure/></testcase>
</testsuite></testsuites>"""
_BUG = Bug(what="It broke.", found_by="a cut", rows=("F30",), test="a.py::test_b")
_NOTES = Notes(bugs=(_BUG,), not_tested=("The sea.",))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "tests" / "fault"
    folder.mkdir(parents=True)
    (folder / "test_link.py").write_text(_MODULE)
    (tmp_path / "cases.xml").write_text(_RESULTS)
    return tmp_path


def test_a_test_says_what_it_holds_in_its_name_its_docstring_or_its_modules(project: Path) -> None:
    held = {test.name: test.ids for test in find_tests(project)}

    assert held == {
        "test_a_cut_is_healed": {"F30"},
        "test_it_is_slow_f34": {"F34", "P11"},
        "test_each_way": {"F33"},
    }


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("F30-F32, P1", {"F30", "F31", "F32", "P1"}),
        ("P13 and F4", {"P13", "F4"}),
        ("F99 F-1 SF12 P10's", {"P10"}),
        ("F50: Discord's", set()),
        ("test_a_write_p23", {"P23"}),
    ],
    ids=["span", "two", "unknown", "notifier", "name"],
)
def test_ids_are_found_in_text(text: str, ids: set[str]) -> None:
    assert ids_in(text) == ids


def test_a_row_is_held_by_functions_and_by_single_cases(project: Path) -> None:
    found = holders(find_tests(project), read_cases(project / "cases.xml"))

    words = {row: [holder.words for holder in held] for row, held in found.items()}
    assert words == {
        "F30": ["not run"],
        "F34": ["passed", "passed"],
        "P11": ["passed"],
        "F33": ["**1 of 2 failed**"],
        "F31": ["passed"],
        "F32": ["**failed**"],
    }


def test_the_page_shows_failures_gaps_and_what_was_measured(project: Path) -> None:
    tests, cases = find_tests(project), read_cases(project / "cases.xml")
    text = render(
        Run(
            heading=["Commit abc"],
            is_long=False,
            cases=cases,
            holders=holders(tests, cases),
            figures=[
                _figure("jobs", acked=40, lost=1, kills=7, models_missing=0, models_double=0),
                _figure("flows_again", seconds=[1.25, 0.5, 3.0]),
            ],
            notes=_NOTES,
        )
    )

    assert "2 tests passed, 1 failed, 0 skipped" in text
    assert "| F32 | link |" in text
    assert "| **failed** |" in text
    assert "| F1 | gateway |" in text
    assert "| none | none |" in text
    assert "1 of 40 acknowledged, over 7 kills, freezes and cuts" in text
    assert "| Work repeated | not measured in this run |" in text
    assert "| flows_again | F1 | seconds p50 1.25 and at most 3 of 3 |" in text
    assert "It broke." in text
    assert "- The sea." in text


def test_figures_are_kept_in_a_run_that_wants_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(figures.FIGURES_VARIABLE, raising=False)
    record(row="F1", name="jobs", acked=1)
    monkeypatch.setenv(figures.FIGURES_VARIABLE, str(tmp_path / "figures"))
    monkeypatch.setenv(figures.SEED_VARIABLE, "7")
    record(row="F20", name="recovery", leases=(1.5, 2), lease_seconds=2)
    record(row="F1", name="jobs", acked=2)

    jobs, recovery = read(tmp_path / "figures")
    assert (jobs.row, jobs.seed, jobs.number("acked")) == ("F1", 7, 2)
    assert recovery.series("leases") == [1.5, 2.0]
    assert "test_figures_are_kept" in jobs.test


def test_the_recovery_is_met_by_seconds_beyond_the_lease() -> None:
    figure = _figure("recovery", leases=[1.0, 2.0, 3.0], lease_seconds=2)

    lines = {line.title: line for line in summarize([figure])}
    line = lines["From losing a host until the job runs elsewhere"]
    assert "at most 3.00 leases, of 3 losses" in line.value
    assert "a lease and 4.0 s" in line.value
    assert line.is_met is False


def test_a_take_over_is_met_by_seconds_beyond_the_lease() -> None:
    figure = _figure("take_over", seconds=[5.0, 7.5], max_seconds=7.5, lease_seconds=5)

    lines = {line.title: line for line in summarize([figure])}
    line = lines["From killing the leading scheduler until another leads"]
    assert (line.value, line.is_met) == ("p50 5.0 s, at most 7.5 s, of 2 kills", True)


@pytest.mark.parametrize(("share", "value"), [(0.5, 2), (0.95, 4), (1.0, 4), (0.0, 1)])
def test_a_percentile_is_one_of_the_values(share: float, value: float) -> None:
    assert percentile([4, 1, 3, 2], share) == value


def test_every_bug_of_the_page_names_a_test_that_exists() -> None:
    nodes = {test.node for test in find_tests(report.ROOT)}
    notes = read_notes(report.NOTES)

    assert {bug.test for bug in notes.bugs} - nodes == set()
    assert {row for bug in notes.bugs for row in bug.rows} <= ROWS.keys() | PROMISES.keys()


def _figure(name: str, **numbers: float | list[float]) -> Figure:
    told = {"row": "F1", "name": name, "test": "t", "seed": 1, "time": "2026-01-01T00:00:00Z", "numbers": numbers}
    return Figure.model_validate_json(json.dumps(told))
