"""The toy does what its spec says; what it shares with other recipes is in tests/contract/test_recipe.py."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from headway.contract.recipes import FatalFailure, RecipeFailure, StopRequested, TransientFailure, UserInputFailure
from headway.testing.attempts import SilentContext
from headway.testing.toy_recipe import ToySpec, make_recipe


def context_of(spec: ToySpec, folder: Path) -> SilentContext:
    return SilentContext(spec=spec.job_spec(), folder=folder)


def test_a_spec_survives_the_job() -> None:
    spec = ToySpec(num_steps=7, step_seconds=0.5, deaf=True)
    assert ToySpec.of(spec.job_spec()) == spec


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(ValidationError):
        ToySpec.model_validate({"colour": "red"})


def test_it_takes_its_steps(tmp_path: Path) -> None:
    context = context_of(ToySpec(num_steps=4), tmp_path)

    result = make_recipe().train(context)

    assert result.num_steps == 4
    assert [details["step"] for _, _, details in context.reports if "step" in details] == [1, 2, 3, 4]


FAILURES = {
    "USER_INPUT": UserInputFailure,
    "TRANSIENT": TransientFailure,
    "FATAL": FatalFailure,
    "RAISE": RuntimeError,
}


@pytest.mark.parametrize(("failure_class", "expected"), FAILURES.items())
def test_it_fails_as_it_is_told(tmp_path: Path, failure_class: str, expected: type[Exception]) -> None:
    with pytest.raises(expected):
        make_recipe().train(context_of(ToySpec(fail_at_step=1, fail_class=failure_class), tmp_path))


def test_it_fails_as_often_as_it_is_told(tmp_path: Path) -> None:
    failures = tmp_path / "failures"
    failures.mkdir()
    spec = ToySpec(fail_at_step=0, failing_attempts=2, failures_dir=str(failures))
    for _ in range(2):
        with pytest.raises(RecipeFailure):
            make_recipe().train(context_of(spec, tmp_path))

    make_recipe().train(context_of(spec, tmp_path))


def test_it_hears_the_wish_to_stop_unless_it_is_deaf(tmp_path: Path) -> None:
    listening, deaf = context_of(ToySpec(), tmp_path), context_of(ToySpec(deaf=True), tmp_path)
    listening.checks_until_stop = 3

    with pytest.raises(StopRequested):
        make_recipe().train(listening)
    assert len(listening.reports) == 3
    make_recipe().train(deaf)


def test_it_writes_as_many_bytes_as_it_is_told(tmp_path: Path) -> None:
    make_recipe().train(context_of(ToySpec(num_bytes=1234), tmp_path))
    assert (tmp_path / "padding.txt").stat().st_size == 1234
