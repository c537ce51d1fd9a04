import pytest

from headway.cli.view.consoles import print_table
from headway.cli.view.results import compression_table, judged_table, result_rows, result_tables
from headway.v1.jobs_pb2 import ResultSummary

TRAINED = {
    "accuracy": 0.9722,
    "test_metric_value": 0.9722,
    "baseline_value": 0.1,
    "boosted_tree_accuracy": 0.9611,
    "macro_f1": 0.97,
    "test_loss": 0.11,
}
COMPRESSED = {
    "teacher_accuracy": 0.975,
    "teacher_test_metric_value": 0.975,
    "teacher_test_loss": 0.1,
    "teacher_param_count": 26122.0,
    "student_param_count": 5962.0,
    "param_saved_count": 20160.0,
    "param_saved_percent": 77.2,
    "teacher_model_size_bytes": 107008.0,
    "student_model_size_bytes": 25088.0,
    "size_saved_bytes": 81920.0,
    "size_saved_percent": 76.6,
    "teacher_input_dim": 64.0,
    "student_input_dim": 64.0,
    "teacher_output_dim": 10.0,
    "student_output_dim": 10.0,
}


def a_summary(*parts: dict[str, float], **changes: float) -> ResultSummary:
    metrics = {name: value for part in (*parts, changes) for name, value in part.items()}
    return ResultSummary(
        task="classification", metrics=metrics, headline_metric="accuracy", headline_value=0.9722, warnings=["small"]
    )


def printed(summary: ResultSummary, capsys: pytest.CaptureFixture[str]) -> list[list[str]]:
    """Words of each line of all tables."""
    for table in result_tables(summary):
        print_table(table)
    return [line.split() for line in capsys.readouterr().out.splitlines()]


def test_the_model_stands_beside_a_tree_and_always_the_same_answer(capsys: pytest.CaptureFixture[str]) -> None:
    head, figures = printed(a_summary(TRAINED), capsys)
    assert " ".join(head) == "on the test rows model boosted tree always the most frequent"
    assert figures == ["accuracy", "0.9722", "0.9611", "0.1"]


def test_without_a_tree_there_is_no_column_for_it(capsys: pytest.CaptureFixture[str]) -> None:
    summary = a_summary({name: value for name, value in TRAINED.items() if "tree" not in name})
    summary.task = "regression"
    head, figures = printed(summary, capsys)
    assert " ".join(head) == "on the test rows model always the mean"
    assert figures == ["accuracy", "0.9722", "0.1"]


def test_a_student_stands_beside_its_teacher(capsys: pytest.CaptureFixture[str]) -> None:
    head, _, *lines = printed(a_summary(TRAINED, COMPRESSED), capsys)
    assert head[4] == "student"
    assert lines == [
        ["teacher", "student", "difference"],
        ["accuracy", "0.975", "0.9722", "0.0028", "less"],
        ["test_loss", "0.1", "0.11", "0.01", "more"],
        ["parameters", "26,122", "5,962", "20,160", "less,", "77.2", "%", "saved"],
        ["size", "104.5", "KiB", "24.5", "KiB", "80.0", "KiB", "less,", "76.6", "%", "saved"],
        ["inputs", "64", "64"],
        ["outputs", "10", "10"],
    ]


def test_a_student_that_is_larger_says_so_and_undefined_shares_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    undefined = {name: value for name, value in COMPRESSED.items() if not name.endswith("percent")}
    lines = printed(a_summary(TRAINED, undefined, param_saved_count=-5.0), capsys)
    assert ["parameters", "26,122", "5,962", "5", "more"] in lines


def test_sizes_that_are_not_known_are_a_dash(capsys: pytest.CaptureFixture[str]) -> None:
    unknown = {name: value for name, value in COMPRESSED.items() if not name.startswith(("teacher_model", "size"))}
    assert ["size", "-", "24.5", "KiB"] in printed(a_summary(TRAINED, unknown), capsys)


def test_several_teachers_have_a_column_together(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(a_summary(TRAINED, COMPRESSED, ensemble_accuracy=0.98), capsys)
    assert ["teacher", "all", "teachers", "student", "difference"] in lines
    assert ["accuracy", "0.975", "0.98", "0.9722", "0.0028", "less"] in lines


def test_no_number_is_told_twice_and_none_is_lost() -> None:
    rows = dict(result_rows(a_summary(TRAINED, COMPRESSED)))
    assert rows == {"macro_f1": "0.97", "test_loss": "0.11", "warnings": "small"}


def test_the_numbers_of_an_unknown_kind_are_all_told_by_name() -> None:
    summary = ResultSummary(metrics={"bleu": 0.3, "teacher_bleu": 0.4}, headline_metric="bleu", headline_value=0.3)
    assert (judged_table(summary), compression_table(summary)) == (None, None)
    assert dict(result_rows(summary)) == {"bleu": "0.3", "teacher_bleu": "0.4", "warnings": ""}
