"""Checks the numbers that a host sends with a result."""

import math
import re

from headway.contract.errors import OutOfRange, Violation, echo
from headway.contract.limits import METRICS_MAX, WARNINGS_MAX
from headway.v1.jobs_pb2 import ResultSummary

_NAME = re.compile(r"[A-Za-z0-9_.@/:-]{1,64}")
_WARNING_MAX_CHARACTERS = 1024


def check_summary(summary: ResultSummary) -> None:
    """Refuse numbers that could not be shown, sent or compared later.

    Raises:
        OutOfRange: too many metrics or warnings, a name that is none, or a number that is not finite; all are named.
    """
    violations = [
        *_metric_faults(summary),
        *_fault(len(summary.metrics) > METRICS_MAX, "metrics", f"{len(summary.metrics)} metrics", f"{METRICS_MAX}"),
        *_fault(len(summary.warnings) > WARNINGS_MAX, "warnings", "too many", f"{WARNINGS_MAX}"),
        *_fault(len(summary.task) > 64, "task", "too long", "64 characters"),
        *_fault(len(summary.headline_metric) > 64, "headline_metric", "too long", "64 characters"),
        *_fault(not math.isfinite(summary.headline_value), "headline_value", "not finite", "a finite number"),
        *_fault(summary.num_steps < 0, "num_steps", "negative", "0 or more"),
    ]
    if violations:
        raise OutOfRange(f"the summary cannot be taken: {violations[0]}", violations=violations)


def cut_warnings(summary: ResultSummary) -> ResultSummary:
    """A copy whose sentences are no longer than a reader wants, so that the record keeps its bound."""
    copy = ResultSummary()
    copy.CopyFrom(summary)
    copy.warnings[:] = [warning[:_WARNING_MAX_CHARACTERS] for warning in summary.warnings]
    return copy


def _metric_faults(summary: ResultSummary) -> list[Violation]:
    return [
        Violation("summary.metrics", OutOfRange.reason, f"{echo(name)} is {value}", "a short name and a finite number")
        for name, value in sorted(summary.metrics.items())
        if not math.isfinite(value) or not _NAME.fullmatch(name)
    ][:8]


def _fault(is_wrong: bool, field: str, message: str, most: str) -> list[Violation]:  # noqa: FBT001 - reads as a table
    return [Violation(f"summary.{field}", OutOfRange.reason, message, f"at most {most}")] if is_wrong else []
