"""The socket that the fake Discord listens on; it can close and open again at the same port."""

from collections.abc import Callable

from aiohttp import web

LOOPBACK = "127.0.0.1"
_STOP_SECONDS = 0.5


class Listening:
    """Serves an application on loopback."""

    def __init__(self, build: Callable[[], web.Application]) -> None:
        self._build = build
        self._runner: web.AppRunner | None = None
        self._port = 0

    @property
    def address(self) -> str:
        """host:port; the same one after a pause."""
        return f"{LOOPBACK}:{self._port}"

    async def start(self, port: int = 0) -> None:
        """Listen.

        Args:
            port: 0 means the one from before, or any free one.

        Raises:
            OSError: the port is taken.
        """
        runner = web.AppRunner(self._build(), access_log=None, shutdown_timeout=_STOP_SECONDS)
        await runner.setup()
        site = web.TCPSite(runner, LOOPBACK, port or self._port, reuse_address=True)
        await site.start()
        self._runner = runner
        self._port = int(runner.addresses[0][1])

    async def stop(self) -> None:
        """Close the port and every connection."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
