"""The numbers of a result: what was judged beside what it is judged by, and a student beside its teacher."""

from collections.abc import Callable, Mapping

from rich.table import Table

from headway.cli.view.output import plain_table
from headway.cli.view.words import number_text, size_text
from headway.v1.jobs_pb2 import ResultSummary

_BASELINE = "baseline_value"
_TREE = "boosted_tree_"
# The headline once more, under the name that the outward documents give it.
_HEADLINE_AGAIN = "test_metric_value"
_SIDES = ("teacher_", "student_")
# Title, name after the side, and what was saved: count and share.
_SAVED = (
    ("parameters", "param_count", "param_saved_count", "param_saved_percent"),
    ("size", "model_size_bytes", "size_saved_bytes", "size_saved_percent"),
    ("inputs", "input_dim", "", ""),
    ("outputs", "output_dim", "", ""),
)

Metrics = Mapping[str, float]


def result_rows(summary: ResultSummary) -> list[tuple[str, str]]:
    """The numbers that stand in no table of `result_tables`, by name, and the warnings."""
    shown = _judged(summary) | _compared(summary)
    rest = [(name, number_text(summary.metrics[name])) for name in sorted(summary.metrics) if name not in shown]
    return [*rest, ("warnings", "\n".join(summary.warnings))]


def result_tables(summary: ResultSummary) -> list[Table]:
    """The tables of a result; none for a kind whose numbers are not known here."""
    return [table for table in (judged_table(summary), compression_table(summary)) if table is not None]


def judged_table(summary: ResultSummary) -> Table | None:
    """The model's figure on the test rows, beside a boosted tree's and that of always the same answer.

    Returns:
        None where the result does not say what always the same answer reaches.
    """
    metrics, name = summary.metrics, summary.headline_metric
    if _BASELINE not in metrics:
        return None
    found = {"student" if _is_student(metrics) else "model": summary.headline_value}
    if _TREE + name in metrics:
        found["boosted tree"] = metrics[_TREE + name]
    found["always the mean" if summary.task == "regression" else "always the most frequent"] = metrics[_BASELINE]
    return plain_table(["on the test rows", *found], [[name, *map(number_text, found.values())]])


def compression_table(summary: ResultSummary) -> Table | None:
    """Teacher and student side by side: figures on the same test rows, parameters, size; None without a teacher."""
    metrics = summary.metrics
    if not _is_student(metrics):
        return None
    rows = [
        _figure(metrics, summary.headline_metric, summary.headline_value),
        _figure(metrics, "test_loss", metrics.get("test_loss")),
        *(_saving(metrics, *names) for names in _SAVED),
    ]
    has_ensemble = any(name.startswith("ensemble_") for name in metrics)
    titles = ["", "teacher", *(["all teachers"] if has_ensemble else []), "student", "difference"]
    return plain_table(titles, [row if has_ensemble else row[:2] + row[3:] for row in rows if row])


def _is_student(metrics: Metrics) -> bool:
    return all(side + "param_count" in metrics for side in _SIDES)


def _figure(metrics: Metrics, name: str, student: float | None) -> list[str]:
    """A row: the figure of teacher, of all teachers and of the student, and how far the student is from its teacher."""
    teacher = metrics.get("teacher_" + name)
    if teacher is None or student is None:
        return []
    change = student - teacher
    words = f"{number_text(abs(change))} {'more' if change > 0 else 'less'}" if change else "the same"
    return [name, number_text(teacher), _cell(metrics, "ensemble_" + name, number_text), number_text(student), words]


def _saving(metrics: Metrics, title: str, name: str, saved: str, percent: str) -> list[str]:
    text = _size if name.endswith("_bytes") else _count
    teacher, student = (_cell(metrics, side + name, text) for side in _SIDES)
    if not teacher and not student:
        return []
    return [title, teacher or "-", "", student or "-", _saved(metrics, saved, percent, text)]


def _saved(metrics: Metrics, saved: str, percent: str, text: Callable[[float], str]) -> str:
    if saved not in metrics:
        return ""
    words = f"{text(abs(metrics[saved]))} {'less' if metrics[saved] >= 0 else 'more'}"
    return words + (f", {metrics[percent]:.1f} % saved" if percent in metrics else "")


def _judged(summary: ResultSummary) -> set[str]:
    """Names that `judged_table` shows."""
    name = summary.headline_metric
    return {name, _TREE + name, _BASELINE, _HEADLINE_AGAIN} if _BASELINE in summary.metrics else set()


def _compared(summary: ResultSummary) -> set[str]:
    """Names that `compression_table` shows."""
    if not _is_student(summary.metrics):
        return set()
    figures = {
        who + name
        for who in ("teacher_", "ensemble_")
        for name in (summary.headline_metric, _HEADLINE_AGAIN, "test_loss")
    }
    sides = {side + name for side in _SIDES for _, name, _, _ in _SAVED}
    return figures | sides | {name for _, _, *saved in _SAVED for name in saved}


def _cell(metrics: Metrics, name: str, text: Callable[[float], str]) -> str:
    return text(metrics[name]) if name in metrics else ""


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _size(value: float) -> str:
    return size_text(int(value))
