"""What a host wrote becomes the answer, or an error that says what is wrong with it."""

import pytest

from gateway import predict_answer
from gateway.predict_answer import parse_report, response_of, travels_along
from headway.contract.errors import PredictionFailed
from headway.contract.predictions import PredictionReport
from headway.v1.jobs_pb2 import Artifact
from headway.v1.models_service_pb2 import PredictResponse

FILE = Artifact(path="predictions.csv", digest="sha256:1", size_bytes=50)
CLASSES = PredictionReport(task="classification", classes=("a", "b, c"), num_rows=2)


def response(report: PredictionReport, content: str | None) -> PredictResponse:
    return response_of(report, FILE, None if content is None else content.encode(), job="j", model="m")


def test_labels_come_with_the_probability_of_each_class() -> None:
    found = response(CLASSES, 'prediction,probability_a,"probability_b, c"\na,0.75,0.25\n"b, c",0.1,0.9\n')

    assert [(one.label, dict(one.probabilities)) for one in found.predictions] == [
        ("a", {"a": 0.75, "b, c": 0.25}),
        ("b, c", {"a": 0.1, "b, c": 0.9}),
    ]
    assert (found.job, found.model, found.task, found.num_rows) == ("j", "m", "classification", 2)
    assert found.predictions_csv == FILE


def test_numbers_come_as_they_are() -> None:
    found = response(PredictionReport(task="regression", num_rows=2), "prediction\n1.5\n-2e10\n")

    assert [one.number for one in found.predictions] == [1.5, -2e10]


def test_drift_is_read_from_proto_json() -> None:
    told = {"unknown_columns": ["x"], "unseen": [{"column": "c", "num_rows": "3", "examples": ["?"]}], "later": 1}
    found = response(CLASSES.model_copy(update={"drift": told}), None)

    assert list(found.drift.unknown_columns) == ["x"]
    assert (found.drift.unseen[0].column, found.drift.unseen[0].num_rows) == ("c", 3)
    assert not found.predictions


@pytest.mark.parametrize(
    ("num_rows", "size_bytes", "is_small"), [(1000, 1000, True), (1001, 1000, False), (5, 2**20 + 1, False)]
)
def test_few_answers_travel_along(num_rows: int, size_bytes: int, is_small: bool) -> None:
    report = PredictionReport(task="regression", num_rows=num_rows)

    assert travels_along(report, Artifact(size_bytes=size_bytes)) is is_small


def test_answers_that_grow_too_large_stay_in_their_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predict_answer, "_RESPONSE_MAX_BYTES", 60)

    found = response(CLASSES, 'p,a,b\na,0.75,0.25\n"b, c",0.1,0.9\n')

    assert not found.predictions
    assert found.num_rows == 2


@pytest.mark.parametrize(
    "content",
    ["p,a,b\na,0.75,0.25\n", "p,a,b\na,0.75\nb,1,0\n", "p,a,b\na,x,0.25\na,1,0\n", 'p,a,b\n"a,0,1\n', "\xff"],
)
def test_files_that_do_not_fit_together_are_the_host_s_fault(content: str) -> None:
    with pytest.raises(PredictionFailed, match=r"predictions\.csv"):
        response(CLASSES, content)


@pytest.mark.parametrize("content", [b"{", b'{"task": "poetry", "num_rows": 1}', b'{"task": "regression"}'])
def test_a_report_that_is_none_is_the_host_s_fault(content: bytes) -> None:
    with pytest.raises(PredictionFailed, match=r"drift\.json"):
        parse_report(content)


def test_drift_that_is_none_is_the_host_s_fault() -> None:
    with pytest.raises(PredictionFailed, match="drift"):
        response(CLASSES.model_copy(update={"drift": {"unseen": 5}}), None)
