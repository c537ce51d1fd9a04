"""`python -m tests.bytes_server HOME`: the bytes half of the gateway as a process, for tests that measure or kill it.

Prints its address, then takes job records from standard input, one a line in base64, and prints `kept` for each.
"""

import asyncio
import base64
import sys
from pathlib import Path

from headway.runtime.logs import configure_logging
from headway.v1.records_pb2 import JobRecord
from tests.bytes_gateway import bytes_gateway
from tests.result_bundles import keep


async def serve(home: Path) -> None:
    async with bytes_gateway(home) as gateway:
        print(gateway.address, flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            await keep(gateway, JobRecord.FromString(base64.b64decode(line)))
            print("kept", flush=True)


if __name__ == "__main__":
    configure_logging("gateway", level="error", json_lines=True)
    asyncio.run(serve(Path(sys.argv[1])))
