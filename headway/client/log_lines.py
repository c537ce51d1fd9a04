"""A job's log lines, each told once, over broken streams and restarts of the gateway."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from headway.client.retries import Patience, is_passing
from headway.runtime.clock import Clock
from headway.runtime.remote_error import RemoteError, responses
from headway.v1.jobs_service_pb2 import LogLine, TailLogsRequest

if TYPE_CHECKING:
    from headway.v1.jobs_service_pb2_grpc import JobServiceAsyncStub


async def follow_lines(
    stub: "JobServiceAsyncStub", request: TailLogsRequest, clock: Clock, patience: Patience
) -> AsyncGenerator[LogLine, None]:
    """The lines that a request asks for; ends as the request says, raises RemoteError once patience is over."""
    waits = patience.waits()
    last = (0, 0)
    while True:
        try:
            async with aclosing(responses(stub.TailLogs(request))) as batches:
                async for batch in batches:
                    waits = patience.waits()
                    for line in batch.lines:
                        if position(line) > last:
                            last = position(line)
                            yield line
        except RemoteError as error:
            wait = next(waits, None)
            if wait is None or not is_passing(error):
                raise
            await clock.sleep(wait)
            # A line's place in the whole log is not known here: read from the start and leave out what was told.
            request.first_line = 1 if last > (0, 0) else request.first_line
        else:
            return


def position(line: LogLine) -> tuple[int, int]:
    """Where a line stands: attempts in order, and lines in order within an attempt."""
    return (line.attempt, line.number)
