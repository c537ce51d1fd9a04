import pytest
from rich.console import Console

from headway.cli.view.predictions import drift_lines, predictions_table
from headway.v1.models_service_pb2 import (
    Drift,
    OutOfRangeValues,
    Prediction,
    PredictResponse,
    UnreadableValues,
    UnseenTexts,
)


def printed(response: PredictResponse) -> list[list[str]]:
    console = Console(width=200, color_system=None)
    with console.capture() as captured:
        console.print(predictions_table(response))
    return [line.split() for line in captured.get().splitlines()]


def test_few_classes_are_shown_with_all_their_probabilities() -> None:
    answers = [Prediction(label="b", probabilities={"b": 0.9, "a": 0.1}), Prediction(label="a", probabilities={"a": 1})]

    assert printed(PredictResponse(predictions=answers)) == [
        ["row", "prediction", "a", "b"],
        ["1", "b", "0.100", "0.900"],
        ["2", "a", "1.000", "0.000"],
    ]


def test_of_many_classes_the_answer_is_shown() -> None:
    probabilities = {f"c{at}": 0.1 for at in range(10)}

    shown = printed(PredictResponse(predictions=[Prediction(label="c3", probabilities=probabilities)]))

    assert shown == [["row", "prediction", "probability"], ["1", "c3", "0.100"]]


def test_numbers_are_shown_as_numbers() -> None:
    shown = printed(PredictResponse(predictions=[Prediction(number=0.5)]))

    assert shown == [["row", "prediction"], ["1", "0.5"]]


@pytest.mark.parametrize(
    ("drift", "words"),
    [
        (Drift(unknown_columns=["x", "y"]), ("not read", "x, y")),
        (Drift(missing_columns=["z"]), ("absent in every row", "z")),
        (
            Drift(unreadable=[UnreadableValues(column="size", num_rows=2, first_row=7, examples=["large"])]),
            ("size: cannot be read in 2 rows, the first is row 7", "large"),
        ),
        (
            Drift(unseen=[UnseenTexts(column="c", num_rows=3, examples=["?"], may_be_rare=True)]),
            ("c: 3 rows", "?", "rare"),
        ),
        (
            Drift(out_of_range=[OutOfRangeValues(column="n", num_rows=1, least=0, greatest=5, lowest=2, highest=99)]),
            ("n: 1 rows", "0 to 5", "2 to 99"),
        ),
        (Drift(unknown_columns=[f"c{at}" for at in range(20)]), ("c7 and 12 more",)),
    ],
)
def test_each_difference_is_a_sentence(drift: Drift, words: tuple[str, ...]) -> None:
    (line,) = drift_lines(drift)

    assert all(word in line for word in words), line


def test_rows_as_those_of_training_are_not_talked_about() -> None:
    assert list(drift_lines(Drift())) == []
