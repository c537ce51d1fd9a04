"""One job's watch, resumed over broken streams and restarts of the gateway."""

from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from typing import TYPE_CHECKING

from headway.client.retries import Patience, is_passing
from headway.contract.errors import ResumeTokenExpired
from headway.contract.states import is_terminal
from headway.runtime.clock import Clock
from headway.runtime.remote_error import RemoteError, responses
from headway.v1.jobs_service_pb2 import WatchJobRequest, WatchJobResponse

if TYPE_CHECKING:
    from headway.v1.jobs_service_pb2_grpc import JobServiceAsyncStub

Notice = Callable[[RemoteError], None]
"""Told that a stream broke and is being opened again."""


class Watch:
    """Opens WatchJob again and again until the job has ended.

    Each message carries a resume token; a new stream begins after the last message that was read, so that no transition
    is told twice or left out. A token that the gateway no longer knows starts over with a snapshot.
    """

    def __init__(
        self, stub: "JobServiceAsyncStub", clock: Clock, patience: Patience, on_break: Notice | None = None
    ) -> None:
        self._stub = stub
        self._clock = clock
        self._patience = patience
        self._on_break = on_break

    async def follow(self, name: str, resume_token: str = "") -> AsyncGenerator[WatchJobResponse, None]:
        """Every message until the terminal one; raises RemoteError once patience is over."""
        waits = self._patience.waits()
        while True:
            try:
                request = WatchJobRequest(name=name, resume_token=resume_token)
                async with aclosing(responses(self._stub.WatchJob(request))) as messages:
                    async for message in messages:
                        waits = self._patience.waits()
                        resume_token = message.resume_token or resume_token
                        yield message
                        if ends(message):
                            return
                # The gateway closed the stream in order before the job's end, as it does when it stops.
                await self._pause(waits, None)
            except RemoteError as error:
                resume_token = self._token_after(error, resume_token)
                await self._pause(waits, error)

    def _token_after(self, error: RemoteError, resume_token: str) -> str:
        """The token to go on with; raises the error when there is no going on."""
        if error.reason == ResumeTokenExpired.reason and resume_token:
            return ""
        if not is_passing(error):
            raise error
        return resume_token

    async def _pause(self, waits: Iterator[float], error: RemoteError | None) -> None:
        wait = next(waits, None)
        if wait is None and error is not None:
            raise error
        if error is not None and self._on_break is not None:
            self._on_break(error)
        await self._clock.sleep(wait or self._patience.longest_wait_seconds)


def ends(message: WatchJobResponse) -> bool:
    """Whether a watch is over after this message."""
    update = message.WhichOneof("update")
    if update == "change":
        return is_terminal(message.change.job.state) and is_terminal(message.change.transition.to_state)
    return update == "snapshot" and is_terminal(message.snapshot.state)
