"""P8, table 4.2: an upload may be killed at any disk call; what is visible is whole, and a retry repairs the rest."""

import json
import subprocess
import sys
from pathlib import Path


def test_a_kill_at_any_disk_call_leaves_something_that_a_retry_repairs(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.save_killed", str(tmp_path)]
    shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    kills = [json.loads(line) for line in shown.splitlines()]
    assert len(kills) > 40
    assert [kill for kill in kills if not kill["whole"]] == []
    assert [kill for kill in kills if not kill["repaired"]] == []
    assert [kill for kill in kills if kill["left"]] == []
