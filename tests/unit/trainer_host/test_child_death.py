import signal
from pathlib import Path

import pytest

from headway.v1.jobs_pb2 import FAILURE_CLASS_TRANSIENT
from trainer_host.child_death import failure_of_death, num_oom_kills, stalled


@pytest.mark.parametrize(
    ("returncode", "oom_kills", "reason", "words"),
    [
        (-signal.SIGKILL, 1, "OUT_OF_MEMORY", "memory ran out"),
        (-signal.SIGKILL, 0, "CHILD_DIED", "SIGKILL"),
        (-signal.SIGSEGV, 0, "CHILD_DIED", "SIGSEGV"),
        (-signal.SIGSEGV, 1, "CHILD_DIED", "SIGSEGV"),
        (7, 0, "CHILD_DIED", "code 7"),
        (0, 0, "CHILD_DIED", "code 0"),
        (-99, 0, "CHILD_DIED", "signal 99"),
    ],
)
def test_a_death_without_a_word_is_transient_and_says_how(
    returncode: int, oom_kills: int, reason: str, words: str
) -> None:
    error = failure_of_death(returncode, num_oom_kills=oom_kills, step=5)
    assert (error.failure.failure_class, error.failure.reason, error.step) == (FAILURE_CLASS_TRANSIENT, reason, 5)
    assert words in error.failure.message


def test_a_stall_is_transient_and_says_what_to_raise() -> None:
    """F27."""
    error = stalled(600.0, step=5)
    assert (error.failure.failure_class, error.failure.reason) == (FAILURE_CLASS_TRANSIENT, "PROGRESS_STALLED")
    assert "no further step in 600 s" in error.failure.message
    assert "timeout_per_step" in error.failure.message


def test_kills_for_memory_are_read_from_the_kernel(tmp_path: Path) -> None:
    (tmp_path / "vmstat").write_text("pgfault 1\noom_kill 12\nother 3\n")
    assert num_oom_kills(tmp_path / "vmstat") == 12
    assert num_oom_kills(tmp_path / "none") == 0
    (tmp_path / "vmstat").write_text("pgfault 1\n")
    assert num_oom_kills(tmp_path / "vmstat") == 0
