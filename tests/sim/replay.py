"""Plays one history again and prints what happened: `python -m tests.sim.replay SEED [STEPS]`."""

import sys

from tests.sim.choices import Seeded
from tests.sim.history import STEPS, play
from tests.sim.setting import simulated
from tests.sim.world import World


def main(arguments: list[str]) -> int:
    """Returns 1 when a promise is broken."""
    seed = int(arguments[0])
    num_steps = int(arguments[1]) if len(arguments) > 1 else STEPS
    world = World(is_told=True)
    try:
        with simulated():
            play(Seeded(seed), world, num_steps=num_steps, is_settled=True)
    finally:
        print("\n".join(world.lines))
    print(f"seed {seed}: every promise held")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
