"""The embedded nats-server as a process."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from google.protobuf.wrappers_pb2 import StringValue

from headway.contract.errors import NotDurable, ServiceUnavailable, StoreUnavailable
from headway.contract.subjects import JOBS
from headway.runtime.durability import check_durable, is_healthy
from headway.runtime.nats_bus import connect
from headway.runtime.nats_server import NatsServer, NatsServerOptions, nats_server_path, render_config
from headway.testing.nats import running_nats
from headway.testing.ports import free_port


def options(directory: Path, *, port: int | None = None) -> NatsServerOptions:
    return NatsServerOptions(
        directory=directory, port=port if port is not None else free_port(), monitor_port=free_port()
    )


async def test_what_was_stored_is_there_after_a_restart_and_a_kill(tmp_path: Path) -> None:
    server = NatsServer(options(tmp_path))
    for number, end in enumerate((server.stop, server.kill)):
        await server.start()
        async with connect(server.url, "test") as bus:
            await bus.provision([JOBS], [])
            await bus.records(JOBS, StringValue).create(f"j{number}", StringValue(value="one"))
        await end()
        assert server.pid is None
    await server.start()
    async with connect(server.url, "test") as bus:
        assert (await bus.stream_state(JOBS)).num_messages == 2
    await server.stop()


async def test_its_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    directory = tmp_path / "nats"
    async with NatsServer(options(directory)):
        assert directory.stat().st_mode & 0o777 == 0o700


async def test_a_server_that_cannot_start_says_where_to_look(tmp_path: Path) -> None:
    async with running_nats(tmp_path / "one") as first:
        taken = int(first.url.rpartition(":")[2])
        with pytest.raises(ServiceUnavailable, match=r"nats\.log"):
            await NatsServer(options(tmp_path / "two", port=taken)).start()


async def test_a_server_that_writes_before_it_acknowledges_is_durable(nats_server: NatsServer) -> None:
    assert await is_healthy(nats_server.monitor_url)
    await check_durable(nats_server.monitor_url)


async def test_a_server_with_default_settings_is_refused_with_the_remedy(tmp_path: Path) -> None:
    async with running_nats(tmp_path, sync_interval="2m") as server:
        with pytest.raises(NotDurable, match="sync_interval: always"):
            await check_durable(server.monitor_url)


async def test_a_server_without_jetstream_is_refused(tmp_path: Path) -> None:
    port, monitor_port = free_port(), free_port()
    process = await asyncio.create_subprocess_exec(
        nats_server_path(), "-p", str(port), "-m", str(monitor_port), stderr=subprocess.DEVNULL
    )
    try:
        monitor_url = f"http://127.0.0.1:{monitor_port}"
        deadline = time.perf_counter() + 5
        while not await is_healthy(monitor_url):
            assert time.perf_counter() < deadline
        with pytest.raises(NotDurable, match="without JetStream"):
            await check_durable(monitor_url)
    finally:
        process.kill()
        await process.wait()


async def test_a_monitoring_port_that_does_not_answer_is_not_taken_for_durable() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    assert not await is_healthy(url)
    with pytest.raises(StoreUnavailable, match="monitoring port"):
        await check_durable(url)


async def test_something_else_on_the_monitoring_port_is_not_taken_for_durable(tmp_path: Path) -> None:
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"),
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    (tmp_path / "varz").write_text("hello")
    try:
        deadline = time.perf_counter() + 10
        (tmp_path / "healthz").write_text("ok")
        while not await is_healthy(f"http://127.0.0.1:{port}"):
            assert time.perf_counter() < deadline
        with pytest.raises(StoreUnavailable, match="not the monitoring port"):
            await check_durable(f"http://127.0.0.1:{port}")
    finally:
        process.kill()
        await process.wait()


def test_a_server_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    port, monitor_port = free_port(), free_port()
    program = f"""
import asyncio
from pathlib import Path
from headway.runtime.nats_server import NatsServer, NatsServerOptions

async def main():
    options = NatsServerOptions(directory=Path({str(tmp_path)!r}), port={port}, monitor_port={monitor_port})
    async with NatsServer(options) as server:
        print(server.pid, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.communicate()

    deadline = time.perf_counter() + 5
    while _is_running(pid):
        assert time.perf_counter() < deadline, "nats-server outlived its parent"


def _is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_the_configuration_survives_odd_paths(tmp_path: Path) -> None:
    odd = tmp_path / 'a "b" \\c'
    assert f'"{str(odd / "store").replace(chr(92), chr(92) * 2).replace(chr(34), chr(92) + chr(34))}"' in render_config(
        options(odd)
    )
    assert os.fspath(odd)


async def test_a_directory_with_an_odd_name_works(tmp_path: Path) -> None:
    async with NatsServer(options(tmp_path / 'a "b" c')) as server:
        await check_durable(server.monitor_url)
