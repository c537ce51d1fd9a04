"""RELIABILITY.md from the results of one run. It states what that run found, and nothing else."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict

from tests.fault.figures import Figure
from tests.fault.matrix import NOTIFIER_ROWS, PROMISES, ROWS
from tests.fault.outcomes import Case, Holder
from tests.fault.summary import others, percentile, summarize

_MET = {True: "yes", False: "**no**", None: ""}
_SLOWEST = 10


class Bug(BaseModel):
    """A bug that faults have found.

    Attributes:
        what: what went wrong, for whom.
        found_by: the fault, the simulation or the demo that showed it.
        rows: of the matrix, and promises, that it broke.
        test: the test that holds it now, `path::function`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    what: str
    found_by: str
    rows: tuple[str, ...]
    test: str


class Notes(BaseModel):
    """The hand-kept part of the page.

    Attributes:
        bugs: found and mended, newest first.
        not_tested: what no test here can show, a sentence each.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    bugs: tuple[Bug, ...]
    not_tested: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """What the page is made from.

    Attributes:
        heading: of commit, machine, date and seed, a line each.
        is_long: whether the long tests ran.
        cases: every test that ran.
        holders: tests by row and promise.
        figures: what they measured.
        notes: the hand-kept part.
    """

    heading: Sequence[str]
    is_long: bool
    cases: Sequence[Case]
    holders: Mapping[str, Sequence[Holder]]
    figures: Sequence[Figure]
    notes: Notes


def read_notes(path: Path) -> Notes:
    """The hand-kept part."""
    return Notes.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))


def render(run: Run) -> str:
    """The page."""
    parts = (_head(run), _figures(run), _faults(run), _promises(run), _bugs(run.notes), _not_tested(run), _again(run))
    return "\n".join(parts)


def _head(run: Run) -> str:
    counts = {
        outcome: sum(case.outcome == outcome for case in run.cases) for outcome in ("passed", "failed", "skipped")
    }
    suite = "with the long tests" if run.is_long else "without the long tests, whose rows say `not run`"
    return "\n".join(
        (
            "# Reliability",
            "",
            "What headway promises, the faults that it was tried by, and what came of it. Written by",
            "`make reliability-report` from the results of one run; every number is from that run.",
            "",
            *(f"- {line}" for line in run.heading),
            f"- {counts['passed']} tests passed, {counts['failed']} failed, {counts['skipped']} skipped, {suite}",
            "",
        )
    )


def _figures(run: Run) -> str:
    lines = summarize(run.figures)
    rows = [(line.title, line.value, line.bar, _MET[line.is_met]) for line in lines]
    told = [(figure.name, figure.row, _numbers(figure)) for figure in others(run.figures)]
    text = "## Figures\n\n" + _table(("what", "found", "bar", "met"), rows)
    return text + ("\n" + _table(("figure", "row", "numbers"), told) if told else "")


def _faults(run: Run) -> str:
    shown = [row for row in ROWS.values() if row.id not in NOTIFIER_ROWS]
    rows = [
        (row.id, row.component, row.fault, row.expected, _tests(run.holders.get(row.id, ())), _result(run, row.id))
        for row in shown
    ]
    held = sum(_result(run, row.id) == "passed" for row in shown)
    text = f"## Faults\n\n{held} of {len(shown)} rows hold: every test of theirs that ran has passed.\n\n"
    return text + _table(("row", "of", "fault", "expected", "tests", "result"), rows)


def _promises(run: Run) -> str:
    rows = [(id_, text, _tests(run.holders.get(id_, ())), _result(run, id_)) for id_, text in PROMISES.items()]
    return "## Promises\n\n" + _table(("promise", "in short", "tests", "result"), rows)


def _result(run: Run, row: str) -> str:
    holders = run.holders.get(row, ())
    if not holders:
        return "none"
    if any(holder.counts["failed"] for holder in holders):
        return "**failed**"
    return "passed" if any(holder.counts["passed"] for holder in holders) else "not run"


def _tests(holders: Iterable[Holder]) -> str:
    by_file: dict[str, list[str]] = {}
    for holder in holders:
        words = "" if holder.words == "passed" else f" ({holder.words})"
        by_file.setdefault(holder.test.path, []).append(f"{holder.test.name.removeprefix('test_')}{words}")
    told = [f"[{Path(path).name}]({path}): {', '.join(names)}" for path, names in by_file.items()]
    return "<br>".join(told) or "none"


def _bugs(notes: Notes) -> str:
    rows = [(bug.what, bug.found_by, ", ".join(bug.rows), f"`{bug.test.partition('::')[2]}`") for bug in notes.bugs]
    text = f"## Bugs found this way\n\n{len(rows)} so far, each held by a test since.\n\n"
    return text + _table(("what went wrong", "found by", "rows", "held by"), rows)


def _not_tested(run: Run) -> str:
    return "## Not tested\n\n" + "".join(f"- {sentence}\n" for sentence in run.notes.not_tested)


def _again(run: Run) -> str:
    slowest = sorted(run.cases, key=lambda case: case.seconds, reverse=True)[:_SLOWEST]
    rows = [(f"`{case.function}`", case.path, f"{case.seconds:.1f} s") for case in slowest]
    return (
        "## Again\n\n`make test-fault` runs the faults of at most ten minutes, `make test-fault-long` the rest, and\n"
        "`make reliability-report` (`LONG=1` for all, `SEED=` for the seed above) writes this page.\n\n"
        "The slowest tests of this run:\n\n" + _table(("test", "file", "took"), rows)
    )


def _numbers(figure: Figure) -> str:
    return ", ".join(f"{name} {_short(value)}" for name, value in figure.numbers.items())


def _short(value: float | str | list[float]) -> str:
    if isinstance(value, list):
        middle, most = (f"{percentile(value, share):.3g}" for share in (0.5, 1.0)) if value else ("none", "none")
        return f"p50 {middle} and at most {most} of {len(value)}"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    def line(cells: Iterable[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |\n"

    return line(head) + "|" + "---|" * len(head) + "\n" + "".join(line(row) for row in rows)
