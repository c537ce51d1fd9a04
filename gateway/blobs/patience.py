"""How long an upload may go on without bringing much."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from headway.contract.errors import DeadlineExceeded, UploadSuperseded

LEAST_BYTES = 64 * 1024
"""What must arrive within the idle time for the call to live on: a trickle is no better than silence."""

_COME_BACK_AFTER = timedelta(seconds=1)


class Patience:
    """A deadline that moves with the bytes that arrive."""

    def __init__(self, idle_seconds: float) -> None:
        """Args: idle_seconds: at least 64 KiB must arrive in any such time."""
        self._idle_seconds = idle_seconds
        self._timeout = asyncio.timeout(None)
        self._num_bytes = 0
        self._is_superseded = False
        self._is_limiting = False

    @property
    def is_superseded(self) -> bool:
        """Whether `end_now` was called."""
        return self._is_superseded

    @asynccontextmanager
    async def limit(self) -> AsyncIterator[None]:
        """Run the body under the deadline.

        Raises:
            DeadlineExceeded: too little was heard.
            UploadSuperseded: `end_now` was called.
        """
        try:
            async with self._timeout:
                self._is_limiting = True
                self.renew()
                try:
                    yield
                finally:
                    self._is_limiting = False
        except TimeoutError:
            if self._is_superseded:
                raise UploadSuperseded("another call goes on with this upload", retry_after=_COME_BACK_AFTER) from None
            raise DeadlineExceeded(
                f"fewer than {LEAST_BYTES} bytes came within {self._idle_seconds:g} s; what came is kept",
                metadata={"idle_seconds": f"{self._idle_seconds:g}"},
                retry_after=_COME_BACK_AFTER,
            ) from None

    def heard(self, num_bytes: int) -> None:
        """Bytes have arrived."""
        self._num_bytes += num_bytes
        if self._num_bytes >= LEAST_BYTES:
            self.renew()

    def renew(self) -> None:
        """Begin the idle time anew: the caller is not to blame for what has just taken long."""
        self._num_bytes = 0
        if not self._is_superseded:
            self._end_at(asyncio.get_running_loop().time() + self._idle_seconds)

    def end_now(self) -> None:
        """End the call in favour of another. No-op when it is over."""
        self._is_superseded = True
        self._end_at(asyncio.get_running_loop().time())

    def _end_at(self, moment_seconds: float) -> None:
        if self._is_limiting and not self._timeout.expired():
            self._timeout.reschedule(moment_seconds)
