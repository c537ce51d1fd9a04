"""The same world under Hypothesis: fewer histories, and a failure is shrunk to the steps that it takes."""

from contextlib import ExitStack

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from tests.sim.actions import ACTIONS, Action
from tests.sim.calm import settle
from tests.sim.choices import Listed
from tests.sim.history import begin
from tests.sim.setting import simulated
from tests.sim.world import World

ANY_ACTION = st.sampled_from(ACTIONS)
NUMBERS = st.lists(st.integers(0, 11), max_size=4)


class Everything(RuleBasedStateMachine):
    """Everybody acts in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.block = ExitStack()
        self.block.enter_context(simulated())
        self.world = World()
        self.world.publishes = True
        begin(self.world, Listed([]))

    @rule(action=ANY_ACTION, numbers=NUMBERS)
    def step(self, action: Action, numbers: list[int]) -> None:
        self.world.clock.seconds += 0.02
        action.act(self.world, Listed(numbers))
        self.world.check()

    def teardown(self) -> None:
        with self.block:
            settle(self.world)


def test_no_history_breaks_a_promise_and_every_job_ends() -> None:
    run_state_machine_as_test(Everything, settings=settings(max_examples=60, stateful_step_count=50, deadline=None))
