from pathlib import Path

import pytest

from headway.contract.errors import HostIdInUse
from trainer_host.host_lock import host_lock


def test_a_second_host_of_the_same_name_is_refused(tmp_path: Path) -> None:
    with host_lock(tmp_path / "h"), pytest.raises(HostIdInUse, match="host_id"), host_lock(tmp_path / "h"):
        """Not reached."""
