from pathlib import Path

import pytest

from headway.contract.errors import HostIdInUse
from trainer_host.host_lock import host_lock


def test_a_host_folder_has_one_holder(tmp_path: Path) -> None:
    with host_lock(tmp_path / "h"):
        with pytest.raises(HostIdInUse), host_lock(tmp_path / "h"):
            """Not reached."""
        with host_lock(tmp_path / "another"):
            """Another host is nobody's business."""
    with host_lock(tmp_path / "h"):
        """Let go, it can be held again."""
