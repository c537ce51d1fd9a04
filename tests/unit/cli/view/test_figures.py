import json

import pytest

from headway.cli.view.consoles import print_table
from headway.cli.view.figures import Figures, figure_tables, parse_figures


def a_class(label: str) -> dict[str, object]:
    return {"label": label, "precision": 0.9, "recall": 0.8, "f1": 0.847, "support": 10}


def a_column(name: str, importance: float) -> dict[str, object]:
    return {"column": name, "importance": importance, "deviation": 0.01}


def printed(content: dict[str, object], capsys: pytest.CaptureFixture[str]) -> list[str]:
    for table in figure_tables(parse_figures(json.dumps(content).encode())):
        print_table(table)
    return capsys.readouterr().out.splitlines()


def test_classes_confusions_columns_and_calibration_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(
        {
            "task": "classification",
            "per_class": [a_class("setosa"), a_class("virginica")],
            "confusion_matrix": [[9, 1], [0, 10]],
            "importances": [a_column("petal", 0.8), a_column("sepal", 0.4), a_column("noise", -0.1)],
            "calibration": [{"lower": 0.9, "upper": 1.0, "num_rows": 20, "confidence": 0.97, "accuracy": 0.95}],
        },
        capsys,
    )
    words = [line.split() for line in lines]
    assert ["setosa", "0.900", "0.800", "0.847", "10"] in words
    assert ["is", "\\", "taken", "for", "setosa", "virginica"] in words
    assert ["setosa", "9", "1"] in words
    assert ["petal", "0.8", "±", "0.01", "█" * 20] in words
    assert ["sepal", "0.4", "±", "0.01", "█" * 10] in words
    assert ["noise", "-0.1", "±", "0.01"] in words
    assert ["0.90", "to", "1.00", "0.970", "0.950", "20"] in words


def test_of_many_classes_the_worst_confusions_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    labels = [f"c{number}" for number in range(30)]
    matrix = [[100 if row == column else row if column == 0 else 0 for column in range(30)] for row in range(30)]
    lines = [
        line.split()
        for line in printed({"per_class": [a_class(label) for label in labels], "confusion_matrix": matrix}, capsys)
    ]
    assert ["c19", "0.900", "0.800", "0.847", "10"] in lines
    assert ["c20", "0.900", "0.800", "0.847", "10"] not in lines
    assert ["and", "10", "more", "classes;", "-o", "json"] in lines
    assert lines[lines.index(["is", "taken", "for", "test", "rows"]) + 1] == ["c29", "c0", "29"]
    assert ["and", "9", "more", "confusions;", "-o", "json"] in lines


def test_a_long_label_is_cut_and_cannot_move_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    (_, line) = printed({"per_class": [a_class("\x1b[2J" + "x" * 300)]}, capsys)
    assert "\x1b" not in line
    assert "x…" in line
    assert len(line) < 80


def test_a_regression_has_its_columns_alone(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed({"per_class": [], "confusion_matrix": [], "importances": [a_column("bmi", 0.0)]}, capsys)
    assert [line.split() for line in lines[1:]] == [["bmi", "0", "±", "0.01"]]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"per_class": 5}', b'{"per_class": [{"label": "a"}]}'])
def test_what_is_of_another_shape_shows_nothing(content: bytes) -> None:
    assert parse_figures(content) == Figures()
    assert figure_tables(Figures()) == []
