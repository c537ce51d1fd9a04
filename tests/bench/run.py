"""Runs the benchmarks one at a time and prints the table: `python -m tests.bench.run [--write] [NAME ...]`."""

import argparse
import asyncio
import sys
from collections.abc import Callable, Coroutine

from tests.bench import (
    callback,
    checkpoints,
    create_job,
    distillation,
    executor,
    full_queue,
    idle,
    iris,
    large_table,
    notifications,
    scheduling,
    tabular_quality,
)
from tests.bench.report import REPOSITORY, Row, render, write

PAGE = REPOSITORY / "docs" / "benchmarks.md"
BENCHES: dict[str, Callable[[], Coroutine[None, None, list[Row]]]] = {
    "create_job": create_job.measure,
    "iris": iris.measure,
    "callback": callback.measure,
    "executor": executor.measure,
    "checkpoints": checkpoints.measure,
    "idle": idle.measure,
    "scheduling": scheduling.measure,
    "full_queue": full_queue.measure,
    "notifications": notifications.measure,
    "large_table": large_table.measure,
    "tabular_quality": tabular_quality.measure,
    "distillation": distillation.measure,
}


def main(arguments: list[str]) -> int:
    """Measure and print; 1 when a bar was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*BENCHES, []], help="benchmarks to run; all when none is named")
    parser.add_argument("--write", action="store_true", help=f"put the figures into {PAGE.relative_to(REPOSITORY)}")
    options = parser.parse_args(arguments)
    rows: list[Row] = []
    for name in options.names or BENCHES:
        sys.stderr.write(f"measuring {name} ...\n")
        rows += asyncio.run(BENCHES[name]())
    text = render(rows)
    sys.stdout.write(text)
    if options.write:
        write(PAGE, text)
    return int(any(row.is_met is False for row in rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
