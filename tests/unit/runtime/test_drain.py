"""P33: SIGTERM under load: calls in flight end well, no new ones are taken, the process is gone within ten seconds."""

import asyncio
import signal
import sys
import time

import grpc
from google.protobuf.wrappers_pb2 import StringValue

from tests.unit.runtime.echo import GOOD, EchoStub

PROGRAM = """
import asyncio, sys
from headway.runtime.grpc_server import ServerOptions
from headway.runtime.logs import configure_logging
from headway.runtime.service import Service, run_service
from tests.unit.runtime.echo import Echo, serving

configure_logging("echo")

async def main():
    async with Service("echo") as service:
        echo = Echo()
        echo.act = lambda text: asyncio.sleep(float(text), text)
        server = await service.enter(serving(echo, options=ServerOptions(drain_seconds=1.5)))
        service.on_drain("grpc", server.drain)
        print(server.address, flush=True)
        return await service.run()

sys.exit(run_service(main))
"""


async def test_sigterm_under_load_loses_no_call_that_was_taken() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    address = (await process.stdout.readline()).decode().strip()
    async with grpc.aio.insecure_channel(address) as channel:
        stub = EchoStub(channel)
        quick = [asyncio.ensure_future(_call(stub, "0.5")) for _ in range(50)]
        endless = asyncio.ensure_future(_call(stub, "60"))
        await asyncio.sleep(0.3)
        before = time.perf_counter()
        process.send_signal(signal.SIGTERM)
        await asyncio.sleep(0.1)
        late = await _call(stub, "0")
        _, errors = await process.communicate()
        seconds = time.perf_counter() - before

        assert [await one for one in quick] == ["0.5"] * 50
        assert late == grpc.StatusCode.UNAVAILABLE
        assert await endless in {grpc.StatusCode.CANCELLED, grpc.StatusCode.UNAVAILABLE}
    assert process.returncode == 0, errors.decode()
    assert seconds < 10
    assert b"Traceback" not in errors


async def _call(stub: EchoStub, text: str) -> str | grpc.StatusCode:
    try:
        return (await stub.unary(StringValue(value=text), metadata=GOOD)).value
    except grpc.aio.AioRpcError as error:
        return error.code()
