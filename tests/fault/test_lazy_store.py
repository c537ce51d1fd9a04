"""Row F44: a nats-server that acknowledges before it has written. No service of the control plane starts on it (P2)."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from headway.runtime.nats_server import NatsServer
from headway.testing.nats import running_nats

LIMIT_SECONDS = 60.0


@pytest.mark.parametrize("service", ["gateway", "scheduler", "notifier"])
async def test_a_service_refuses_a_store_that_may_forget_and_says_what_to_change_f44_p2(
    tmp_path: Path, service: str
) -> None:
    async with running_nats(tmp_path / "nats", sync_interval="2m") as lazy:
        code, output = await _ended(service, lazy, tmp_path / "home")
    assert code == 1
    assert "NOT_DURABLE" in output
    assert "sync_interval: always" in output


async def _ended(service: str, server: NatsServer, home: Path) -> tuple[int | None, str]:
    """Exit code and words of a service that does not start."""
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith("HEADWAY_")},
        "HEADWAY_HOME": str(home),
        "HEADWAY_NATS_URL": server.url,
        "HEADWAY_NATS_MONITOR_URL": server.monitor_url,
        f"HEADWAY_{service.upper()}__LISTEN": "127.0.0.1:0",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", service, env=environ, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await asyncio.wait_for(process.communicate(), LIMIT_SECONDS)
    return process.returncode, output.decode()
