import math

import pytest

from gateway.result_checks import check_summary, cut_warnings
from headway.contract.errors import OutOfRange
from headway.v1.jobs_pb2 import ResultSummary


def test_a_summary_of_finite_numbers_passes() -> None:
    check_summary(ResultSummary(task="regression", metrics={"train/loss@best": -1.0}, headline_value=0.0))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_named(value: float) -> None:
    with pytest.raises(OutOfRange) as caught:
        check_summary(ResultSummary(metrics={"good": 1.0, "bad": value}))
    assert [violation.field for violation in caught.value.violations] == ["summary.metrics"]
    assert "'bad'" in caught.value.violations[0].message
    with pytest.raises(OutOfRange):
        check_summary(ResultSummary(headline_value=value))


def test_every_fault_is_told() -> None:
    summary = ResultSummary(task="x" * 65, headline_metric="y" * 65, num_steps=-1, warnings=["w"] * 33)
    with pytest.raises(OutOfRange) as caught:
        check_summary(summary)
    fields = {violation.field for violation in caught.value.violations}
    assert fields == {"summary.task", "summary.headline_metric", "summary.num_steps", "summary.warnings"}


def test_a_long_warning_is_cut() -> None:
    summary = ResultSummary(warnings=["x" * 5000])
    assert len(cut_warnings(summary).warnings[0]) == 1024
    assert len(summary.warnings[0]) == 5000
