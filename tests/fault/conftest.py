"""A running cluster for tests that need nothing special."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fault.cluster import FaultCluster, fault_cluster


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[FaultCluster]:
    """One scheduler, two hosts, leases of two seconds."""
    async with fault_cluster(tmp_path, hosts=2) as running:
        yield running
