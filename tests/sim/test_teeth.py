"""The simulator notices each safety that is taken out; otherwise its silence would mean nothing."""

import pytest

from tests.fault import figures
from tests.sim.history import Broken, run_seed
from tests.sim.setting import simulated
from tests.sim.teeth import TEETH, Tooth

HISTORIES = 3_000


@pytest.mark.parametrize("tooth", TEETH, ids=lambda tooth: tooth.safety)
def test_without_the_safety_a_history_breaks_its_promise(tooth: Tooth) -> None:
    with simulated(), tooth.out():
        found = next((why for seed in range(HISTORIES) if (why := _broken(seed, tooth))), "")

    figures.record(row="all", name="teeth", caught=int(bool(found)), of=1)
    assert found, f"{HISTORIES} histories did not notice that this is missing: {tooth.safety}"


def _broken(seed: int, tooth: Tooth) -> str:
    """Why the history broke, when it broke for want of the safety; empty otherwise."""
    try:
        run_seed(seed)
    except Broken as broken:
        return broken.why if any(words in broken.why for words in tooth.finds) else ""
    return ""
