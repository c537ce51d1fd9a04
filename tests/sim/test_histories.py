"""Twenty thousand histories of fifty steps: no promise is broken, and every job ends once the faults stop.

A failure prints its seed, the command that replays it, and what happened. The ranges are one test each, so that all
cores take part.
"""

import pytest

from headway.contract.states import is_terminal, state_name
from headway.v1.jobs_pb2 import AttemptOutcome
from tests.fault import figures
from tests.sim.choices import Seeded
from tests.sim.history import STEPS, Broken, play, run_seed, run_seeds
from tests.sim.setting import simulated
from tests.sim.world import World

PARTS = 8
HISTORIES_A_PART = 2_500
LONG_PARTS = 16
LONG_HISTORIES_A_PART = 8_000
_LONG_FROM = 1_000_000


@pytest.mark.parametrize("part", range(PARTS))
def test_no_history_breaks_a_promise(part: int) -> None:
    run_seeds(part * HISTORIES_A_PART, HISTORIES_A_PART)
    figures.record(row="all", name="simulator", histories=HISTORIES_A_PART, steps=HISTORIES_A_PART * STEPS)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", range(LONG_PARTS))
def test_no_longer_history_breaks_a_promise(part: int) -> None:
    run_seeds(_LONG_FROM + part * LONG_HISTORIES_A_PART, LONG_HISTORIES_A_PART, num_steps=2 * STEPS)
    figures.record(
        row="all", name="simulator", histories=LONG_HISTORIES_A_PART, steps=LONG_HISTORIES_A_PART * 2 * STEPS
    )


def test_a_seed_is_one_history() -> None:
    def trace(seed: int) -> list[str]:
        world = World(is_told=True)
        play(Seeded(seed), world, num_steps=STEPS, is_settled=True)
        return world.lines

    with simulated():
        assert trace(7) == trace(7)
        assert trace(7) != trace(8)


def test_histories_reach_every_state_and_every_end_of_an_attempt() -> None:
    """A simulator in which nothing happens would hold every promise."""
    states, outcomes = set[str](), set[str]()
    with simulated():
        for seed in range(400):
            world = World()
            play(Seeded(seed), world, num_steps=STEPS, is_settled=False)
            for record in world.jobs.values.values():
                states.add(state_name(record.job.state))
                outcomes |= {AttemptOutcome.Name(one.outcome) for one in record.job.attempts}

    assert states == {
        *("QUEUED", "RUNNING", "PAUSING", "PAUSED", "CANCELLING"),
        *("CANCELLED", "SUCCEEDED", "EVAL_FAILED", "FAILED"),
    }
    assert {name.removeprefix("ATTEMPT_OUTCOME_") for name in outcomes} >= {
        *("SUCCEEDED", "FAILED", "LOST", "PAUSED", "CANCELLED", "UNSPECIFIED"),
    }


def test_the_calm_ends_every_job() -> None:
    with simulated():
        world = World()
        play(Seeded(1), world, num_steps=STEPS, is_settled=True)

    assert world.jobs.values
    assert all(is_terminal(record.job.state) for record in world.jobs.values.values())


def test_a_failure_names_its_seed_and_the_way_to_replay_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def check(_: World) -> None:
        raise AssertionError("a promise was broken")

    monkeypatch.setattr(World, "check", check)

    with simulated(), pytest.raises(Broken, match="a promise was broken") as caught:
        run_seed(42)

    assert "python -m tests.sim.replay 42" in str(caught.value)
    assert "hears hosts/anton" in str(caught.value)
