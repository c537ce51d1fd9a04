"""One history of a seed: fifty steps and, for some seeds, the calm that must follow."""

import gc
from dataclasses import dataclass

from tests.sim.actions import a_round, join, repertoire, submit
from tests.sim.calm import settle
from tests.sim.choices import Choices, Seeded
from tests.sim.setting import simulated
from tests.sim.world import World

STEPS = 50
_COLLECTED_EVERY = 50
SETTLED_EVERY = 6


@dataclass(frozen=True)
class Broken(AssertionError):
    """A promise was broken."""

    seed: int
    why: str
    lines: tuple[str, ...]

    def __str__(self) -> str:
        trace = "\n".join(self.lines[-200:])
        return f"{self.why}\nseed {self.seed}; replay: python -m tests.sim.replay {self.seed}\n{trace}"


def play(choices: Choices, world: World, *, num_steps: int, is_settled: bool) -> None:
    """One history, with every check after every step."""
    actions = repertoire(world, choices)
    begin(world, choices)
    for _ in range(num_steps):
        action = actions[choices.below(len(actions))]
        world.clock.seconds += 0.02
        world.say("*", action.name)
        action.act(world, choices)
        world.check()
    world.rest()
    if is_settled:
        settle(world)


def begin(world: World, choices: Choices) -> None:
    """One host or two, and some jobs: what follows is about them."""
    for _ in range(1 + choices.below(2)):
        join(world, choices)
    for _ in range(1 + choices.below(3)):
        submit(world, choices)
    a_round(world, choices)


def run_seed(seed: int, *, num_steps: int = STEPS, is_settled: bool | None = None) -> None:
    """Play the history of a seed; on a failure play it again with a trace.

    Raises:
        Broken: a promise was.
    """
    settles = seed % SETTLED_EVERY == 0 if is_settled is None else is_settled
    try:
        play(Seeded(seed), World(), num_steps=num_steps, is_settled=settles)
    except Exception as error:
        world, why = World(is_told=True), f"{type(error).__name__}: {error}"
        try:
            play(Seeded(seed), world, num_steps=num_steps, is_settled=settles)
        except Exception as again:  # noqa: BLE001 - the same one
            why = f"{type(again).__name__}: {again}"
        raise Broken(seed, why, tuple(world.lines)) from error


def run_seeds(first: int, count: int, *, num_steps: int = STEPS) -> None:
    """Play the histories of a range of seeds."""
    gc.collect()
    gc.disable()
    try:
        with simulated():
            for seed in range(first, first + count):
                run_seed(seed, num_steps=num_steps)
                if seed % _COLLECTED_EVERY == 0:
                    # Worlds are full of cycles; looking for them all the time would take a tenth of it.
                    gc.collect(1)
    finally:
        gc.enable()
