"""What recipes and executors say to each other."""

import pytest

from headway.contract.recipes import (
    FailureClass,
    FatalFailure,
    Phase,
    RecipeFailure,
    TransientFailure,
    UserInputFailure,
)
from headway.v1 import jobs_pb2


@pytest.mark.parametrize(
    ("error", "failure_class"),
    [
        (UserInputFailure, FailureClass.USER_INPUT),
        (TransientFailure, FailureClass.TRANSIENT),
        (FatalFailure, FailureClass.FATAL),
    ],
)
def test_a_failure_says_who_is_at_fault(error: type[RecipeFailure], failure_class: FailureClass) -> None:
    failure = error("REASON", "a sentence")
    assert (failure.failure_class, failure.reason, failure.message) == (failure_class, "REASON", "a sentence")


def test_the_words_are_those_of_the_wire() -> None:
    classes = {name.removeprefix("FAILURE_CLASS_") for name in jobs_pb2.FailureClass.DESCRIPTOR.values_by_name}
    phases = {name.removeprefix("ATTEMPT_PHASE_") for name in jobs_pb2.AttemptPhase.DESCRIPTOR.values_by_name}
    assert {entry.value for entry in FailureClass} == classes - {"UNSPECIFIED"}
    assert {entry.value for entry in Phase} == phases - {"UNSPECIFIED", "UPLOADING"}
