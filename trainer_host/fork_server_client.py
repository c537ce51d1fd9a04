"""The agent's side of the fork server: starts it, asks it for children, ends it. Imports no torch."""

import asyncio
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from types import TracebackType
from typing import Self

CHILD_ENVIRONMENT = {
    # A spinning OpenMP thread beside one busy process costs a factor of 5 to 7 (notes on training, 4.4).
    "OMP_WAIT_POLICY": "PASSIVE",
    # The pools must not start threads before the fork; a recipe that wants more says so in its child.
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "POLARS_MAX_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    # Nothing is fetched from a model hub behind the user's back.
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    # Ask NVML and not the CUDA driver whether there is a GPU: a driver context would not survive the fork.
    "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
    # What deterministic matrix products on a GPU need.
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
}
"""Set before torch is imported, since its libraries read most of these when they load."""


@dataclass(frozen=True, slots=True)
class ChildOptions:
    """What every child of a host gets.

    Attributes:
        recipes: recipes beside the built-in ones and those of entry points, each as `kind=module:factory`.
    """

    recipes: tuple[str, ...] = ()


class ForkServer:
    """The process that children are forked from; started by the first child, and again when it was found dead."""

    def __init__(self, options: ChildOptions = ChildOptions()) -> None:
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    @property
    def pid(self) -> int:
        """Its process id; 0 while it does not run."""
        return self._process.pid if self._process is not None else 0

    def request_child(self, pipe: socket.socket, status: socket.socket) -> None:
        """Ask for a child that talks over `pipe`; its id and end will be told over `status`."""
        try:
            self._send(pipe, status)
        except OSError:
            # It died since the last child. A new one is a few seconds of imports away.
            self._end()
            self._send(pipe, status)

    def _send(self, pipe: socket.socket, status: socket.socket) -> None:
        socket.send_fds(self._running(), [b"f"], [pipe.fileno(), status.fileno()])

    def _running(self) -> socket.socket:
        if self._process is not None and self._process.poll() is not None:
            self._end()
        if self._control is None:
            ours, theirs = socket.socketpair()
            with theirs:
                command = [sys.executable, "-m", "trainer_host.fork_server", str(theirs.fileno())]
                self._process = subprocess.Popen(
                    [*command, *self._options.recipes],
                    env={**os.environ, **CHILD_ENVIRONMENT},
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                )
            self._control = ours
        return self._control

    def _end(self) -> None:
        process, self._process = self._process, None
        control, self._control = self._control, None
        if control is not None:
            control.close()
        if process is not None:
            # Closing would do, but not while it still imports torch.
            process.kill()
            process.wait()

    async def close(self) -> None:
        """End it, and with it every child that still runs."""
        await asyncio.to_thread(self._end)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
