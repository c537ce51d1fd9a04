"""What a process loads when it starts: import-linter reads the source, this looks at the running interpreter."""

import subprocess
import sys

import pytest

HEAVY = {"matplotlib", "sklearn", "torch", "transformers"}
# The module that starts each process, and what must not be in memory once it is imported.
UNLOADED = {
    "headway.cli.__main__": HEAVY,  # the command answers at once
    "gateway.wiring": HEAVY,
    "scheduler.wiring": HEAVY,
    "notifier.wiring": HEAVY,
    "trainer_host.wiring": HEAVY | {"nats"},  # the agent: torch lives in its child, and a host never talks to NATS
}


@pytest.mark.parametrize("module", UNLOADED)
def test_a_process_does_not_load_what_it_must_not(module: str) -> None:
    assert loaded_by(f"import {module}", UNLOADED[module]) == set()


def test_a_loaded_package_is_seen() -> None:
    assert loaded_by("import json.decoder, csv", {"csv", "json", "sqlite3"}) == {"csv", "json"}


def loaded_by(statement: str, packages: set[str]) -> set[str]:
    """Which of these packages are in memory after the statement, in an interpreter of its own."""
    program = f"{statement}\nimport sys\nprint(*{packages!r} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    return set(shown.split())
