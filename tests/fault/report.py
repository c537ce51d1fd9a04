"""Runs every test that holds a fault or a promise, and writes RELIABILITY.md from what they find.

`python -m tests.fault.report [--long] [--also TEST] [--jobs N] [--seed N]`. Ends with pytest's exit code; the page is
written either way, because a page that shows a failure is worth more than an old one that shows none.
"""

import argparse
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from headway.runtime.nats_server import nats_server_path
from tests.fault.catalogue import FOLLOWED, HeldTest, find_tests
from tests.fault.figures import FIGURES_VARIABLE, SEED_VARIABLE, read
from tests.fault.outcomes import holders, read_cases
from tests.fault.page import Run, read_notes, render

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "RELIABILITY.md"
NOTES = ROOT / "docs" / "reliability-bugs.yaml"
_ALWAYS = ("tests/fault", "tests/sim")
_CASES, _ALSO_CASES, _FIGURES = "cases.xml", "also.xml", "figures.jsonl"


@dataclass(frozen=True, slots=True)
class Options:
    """How to run.

    Attributes:
        is_long: the long tests, too.
        also: long tests to run beside the others, where not all of them are wanted; pytest's names.
        jobs: test processes.
        seed: of everything that is drawn.
    """

    is_long: bool
    also: tuple[str, ...]
    jobs: int
    seed: int


def main(arguments: Sequence[str]) -> int:
    """Run, write, and return pytest's exit code."""
    options = _options(arguments)
    tests = find_tests(ROOT)
    with TemporaryDirectory(prefix="headway-report-") as scratch:
        folder = Path(scratch)
        begin = time.perf_counter()
        code = _run_tests(options, tests, folder)
        minutes = (time.perf_counter() - begin) / 60
        if not (folder / _CASES).exists():
            sys.stderr.write("pytest has written no results; RELIABILITY.md is left as it is\n")
            return code
        cases = [
            case for name in (_CASES, _ALSO_CASES) if (folder / name).exists() for case in read_cases(folder / name)
        ]
        run = Run(
            heading=_heading(options, minutes),
            is_long=options.is_long,
            cases=cases,
            holders=holders(tests, cases),
            figures=read(folder / _FIGURES),
            notes=read_notes(NOTES),
        )
    PAGE.write_text(render(run), encoding="utf-8")
    sys.stderr.write(f"wrote {PAGE.relative_to(ROOT)}\n")
    return code


def _options(arguments: Sequence[str]) -> Options:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--long", action="store_true", help="run the long tests, too")
    parser.add_argument("--also", action="append", default=[], help="a long test to run beside the others")
    parser.add_argument("--jobs", type=int, default=2, help="test processes")
    parser.add_argument("--seed", type=int, default=int(time.strftime("%Y%m%d")), help="of everything that is drawn")
    given = parser.parse_args(arguments)
    return Options(bool(given.long), tuple(map(str, given.also)), int(given.jobs), int(given.seed))


def _run_tests(options: Options, tests: Sequence[HeldTest], folder: Path) -> int:
    elsewhere = [test.node for test in tests if test.ids & FOLLOWED and not test.path.startswith(_ALWAYS)]
    marks = "not gpu and not bench" if options.is_long else "not gpu and not bench and not long"
    environ = {**os.environ, FIGURES_VARIABLE: str(folder / _FIGURES), SEED_VARIABLE: str(options.seed)}

    def begin(cases: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={folder / cases}"]
        return subprocess.Popen(
            [*command, "-p", "randomly", f"--randomly-seed={options.seed}", *arguments], cwd=ROOT, env=environ
        )

    runs = [begin(_CASES, "-n", str(options.jobs), "-m", marks, *_ALWAYS, *elsewhere)]
    if options.also:
        runs.append(begin(_ALSO_CASES, *options.also))
    return max(run.wait() for run in runs)


def _heading(options: Options, minutes: float) -> list[str]:
    is_dirty = _told(["git", "status", "--porcelain", "--untracked-files=no"])
    commit = _told(["git", "rev-parse", "--short=12", "HEAD"]) + (", with changes on top" if is_dirty else "")
    memory = psutil.virtual_memory().total / 2**30
    server = _told([nats_server_path(), "--version"]).removeprefix("nats-server: ")
    return [
        f"Commit {commit}",
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, seed {options.seed}",
        f"{minutes:.0f} minutes with {options.jobs} test processes",
        f"{os.cpu_count()} cores, {memory:.0f} GiB of memory, Linux {platform.release()}",
        f"Python {platform.python_version()}, nats-server {server}",
    ]


def _told(command: Sequence[str]) -> str:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
