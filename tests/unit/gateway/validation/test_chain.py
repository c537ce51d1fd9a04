"""The order of a chain (RELIABILITY B2): with two faults the earlier step answers, and later steps do not run."""

from itertools import pairwise

import pytest

from gateway.validation.chain import Draft, Step, World, run_chain
from headway.contract.errors import HeadwayError, InvalidArgument, OutOfRange
from tests.unit.gateway.builders import FakeWorld, a_draft


def marking(name: str) -> Step:
    async def check(draft: Draft, _world: World) -> None:
        draft.warnings.append(f"{name} ran")

    return Step(name, check)


def failing(name: str, error: HeadwayError) -> Step:
    async def check(_draft: Draft, _world: World) -> None:
        raise error

    return Step(name, check)


async def test_steps_run_in_their_order_and_are_listed_as_passed() -> None:
    draft = a_draft()
    await run_chain([marking("a"), marking("b"), marking("c")], draft, FakeWorld())
    assert draft.warnings == ["a ran", "b ran", "c ran"]
    assert draft.passed == ["a", "b", "c"]


async def test_a_later_step_never_runs_after_a_failed_one() -> None:
    draft = a_draft()
    steps = [marking("a"), failing("b", InvalidArgument("no")), marking("c")]
    with pytest.raises(InvalidArgument):
        await run_chain(steps, draft, FakeWorld())
    assert draft.warnings == ["a ran"]
    assert draft.passed == ["a"]


async def test_with_two_faults_the_earlier_step_answers_and_is_named() -> None:
    steps = [failing("first", OutOfRange("of the first")), failing("second", InvalidArgument("of the second"))]
    for one, other in (steps, steps[::-1]):
        with pytest.raises(InvalidArgument) as caught:
            await run_chain([one, other], a_draft(), FakeWorld())
        assert caught.value.metadata["step"] == one.name


async def test_every_step_of_a_long_chain_can_be_the_one_that_answers() -> None:
    names = [f"step{number}" for number in range(9)]
    for earlier, later in pairwise(names):
        steps = [failing(name, InvalidArgument(name)) if name in {earlier, later} else marking(name) for name in names]
        draft = a_draft()
        with pytest.raises(InvalidArgument) as caught:
            await run_chain(steps, draft, FakeWorld())
        assert caught.value.metadata["step"] == earlier
        assert draft.passed == names[: names.index(earlier)]


async def test_an_unforeseen_exception_passes_through_as_it_is() -> None:
    async def broken(_draft: Draft, _world: World) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await run_chain([Step("broken", broken)], a_draft(), FakeWorld())
