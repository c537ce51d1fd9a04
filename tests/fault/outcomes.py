"""What became of the tests of a run, from the file that pytest writes for build servers."""

import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.fault.catalogue import HeldTest, ids_in

_FAULT_TESTS = "tests/fault/"
_NODE = re.compile(r"(?P<function>[^\[]+)(?:\[(?P<case>.*)\])?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Case:
    """One test that ran, with one set of parameters.

    Attributes:
        path: of its file, from the project's root.
        function: the test's name.
        case: id of the parameters; empty when there are none.
        outcome: `passed`, `failed` or `skipped`.
        seconds: how long it took, its fixtures included.
    """

    path: str
    function: str
    case: str
    outcome: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Holder:
    """A test that holds a row or a promise, and how it went.

    Attributes:
        test: the function.
        counts: of its cases, by outcome; empty when it did not run.
    """

    test: HeldTest
    counts: Counter[str]

    @property
    def words(self) -> str:
        """`passed`, `2 of 5 failed`, `not run` ..."""
        number, failed = self.counts.total(), self.counts["failed"]
        if failed:
            return "**failed**" if number == 1 else f"**{failed} of {number} failed**"
        if not self.counts["passed"]:
            return "skipped" if number else "not run"
        return "passed" if number == 1 else f"{self.counts['passed']} of {number} passed"


def read_cases(path: Path) -> list[Case]:
    """Every case of a run."""
    # Written by pytest a moment ago: nothing hostile in it.
    cases = ET.parse(path).iter("testcase")  # noqa: S314
    return [_case(element) for element in cases]


def _case(element: "ET.Element[str]") -> Case:
    children = {child.tag for child in element}
    outcome = "failed" if children & {"failure", "error"} else "skipped" if "skipped" in children else "passed"
    found = _NODE.fullmatch(element.get("name", ""))
    function, case = (found["function"], found["case"] or "") if found else ("", "")
    path = element.get("classname", "").replace(".", "/") + ".py"
    return Case(path, function, case, outcome, float(element.get("time", 0)))


def holders(tests: Iterable[HeldTest], cases: Iterable[Case]) -> dict[str, list[Holder]]:
    """For each row and promise, the tests that hold it.

    In the fault tests, an id of parameters may name a row, too: it holds for that case alone.
    """
    by_function: dict[tuple[str, str], list[Case]] = {}
    for case in cases:
        by_function.setdefault((case.path, case.function), []).append(case)
    found: dict[str, list[Holder]] = {}
    for test in tests:
        ran = by_function.get((test.path, test.name), [])
        for row in test.ids | frozenset(row for case in ran for row in _ids_of(case)):
            mine = ran if row in test.ids else [case for case in ran if row in _ids_of(case)]
            found.setdefault(row, []).append(Holder(test, Counter(case.outcome for case in mine)))
    return found


def _ids_of(case: Case) -> frozenset[str]:
    # Rows of one case are joined by a dash: F4-F15 is no span here.
    return ids_in(case.case.replace("-", " ")) if case.path.startswith(_FAULT_TESTS) else frozenset()
