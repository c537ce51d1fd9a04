"""Two gateways on one home (RELIABILITY F11)."""

from pathlib import Path

import pytest

from gateway.store_lock import StoreLocked, store_lock


async def test_a_second_gateway_is_refused_and_a_successor_is_not_f11(tmp_path: Path) -> None:
    async with store_lock(tmp_path / "gateway"):
        with pytest.raises(StoreLocked):
            async with store_lock(tmp_path / "gateway"):
                pass
    async with store_lock(tmp_path / "gateway"):
        pass
