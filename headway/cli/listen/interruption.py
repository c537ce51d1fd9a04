"""Ctrl-C for a command that runs other commands: what has begun may end, nothing new begins."""

import asyncio
import signal
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager

from headway.cli.exit_codes import ExitCode
from headway.cli.view.consoles import say

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """The first signal waits for what runs, the second one kills it; when nothing runs, the first one leaves."""

    def __init__(self) -> None:
        self._task = asyncio.current_task()
        self._number: int | None = None
        self._kill: Callable[[], None] | None = None

    @property
    def is_asked(self) -> bool:
        """Whether somebody wants this to end."""
        return self._number is not None

    @property
    def exit_code(self) -> ExitCode:
        """What to leave with: whoever sends SIGTERM, as systemd does, wants nothing but an end."""
        return ExitCode.OK if self._number == signal.SIGTERM else ExitCode.INTERRUPTED

    @asynccontextmanager
    async def heard(self) -> AsyncGenerator[None, None]:
        """Listen for signals inside the block."""
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._on_signal, number)
        try:
            yield
        finally:
            for number in _SIGNALS:
                loop.remove_signal_handler(number)

    @contextmanager
    def waiting_for(self, kill: Callable[[], None]) -> Generator[None, None, None]:
        """Something runs inside the block that is not to be broken off; `kill` breaks it off."""
        self._kill = kill
        try:
            yield
        finally:
            self._kill = None

    def leave_if_asked(self) -> None:
        """Begin nothing new.

        Raises:
            CancelledError: a signal came.
        """
        if self.is_asked:
            raise asyncio.CancelledError

    def _on_signal(self, number: int) -> None:
        is_first, self._number = self._number is None, number
        if self._kill is None:
            if self._task is not None:
                self._task.cancel()
        elif is_first:
            say("waiting for the command to end; once more kills it", "yellow")
        else:
            self._kill()
