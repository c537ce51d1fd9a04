"""What a child process does: says `Hello`, runs one attempt, and ends.

The recipe runs in the main thread. A second thread reads the agent's messages, and ends the process at once when the
agent is gone: nothing that this process could still compute has anyone to take it.
"""

import os
import queue
import socket
import threading

from headway.runtime.clock import SystemClock
from trainer_host.cancellation import CancellationToken
from trainer_host.child_messages import (
    LINE_LIMIT_BYTES,
    ChildMessage,
    Hello,
    Log,
    Progress,
    RecipeReport,
    RunAttempt,
    Saved,
    decode_to_child,
    encode,
)
from trainer_host.executor import Attempt, OutcomeExecutor, TrainingExecutor
from trainer_host.recipes.registry import load

ORPHANED = 3
"""Exit code of a child whose agent is gone, or talks nonsense."""


def run_child(connection: socket.socket, extra_recipes: tuple[str, ...]) -> None:
    """Run as a child until its one attempt is over.

    Args:
        connection: to the agent; owned by this function.
        extra_recipes: as `ChildOptions.recipes`.
    """
    pipe = _Pipe(connection)
    clock = SystemClock()
    executor = TrainingExecutor(*load(extra_recipes), clock)
    executor.warm_up()
    pipe.send(_hello(executor.recipe_reports()))
    attempt = Attempt(pipe.wait_for_order(), pipe.token)
    pipe.send(OutcomeExecutor(executor, clock).execute(attempt, pipe))


def _hello(recipes: tuple[RecipeReport, ...]) -> Hello:
    try:
        from trainer_host.executor.torch_runtime import devices, torch_version

        return Hello(pid=os.getpid(), torch_version=torch_version(), devices=devices(), recipes=recipes)
    except Exception as error:  # noqa: BLE001 - a broken torch may raise anything, and its absence is an answer too
        return Hello(pid=os.getpid(), torch_problem=f"{type(error).__name__}: {error}"[:500], recipes=recipes)


class _Pipe:
    """The child's end: the executor's report, and the thread that watches the agent."""

    def __init__(self, connection: socket.socket) -> None:
        self.token = CancellationToken()
        self._connection = connection
        self._orders: queue.SimpleQueue[RunAttempt] = queue.SimpleQueue()
        threading.Thread(target=self._watch, name="agent-watch", daemon=True).start()

    def wait_for_order(self) -> RunAttempt:
        """Block until the agent has an attempt."""
        return self._orders.get()

    def progress(self, progress: Progress) -> None:
        """Pass it on."""
        self.send(progress)

    def log(self, line: Log) -> None:
        """Pass it on."""
        self.send(line)

    def saved(self, checkpoint: Saved) -> None:
        """Pass it on."""
        self.send(checkpoint)

    def send(self, message: Hello | ChildMessage) -> None:
        """Write a message; only the main thread does."""
        try:
            self._connection.sendall(encode(message))
        except OSError:
            os._exit(ORPHANED)

    def _watch(self) -> None:
        try:
            with self._connection.makefile("rb") as lines:
                while line := lines.readline(LINE_LIMIT_BYTES):
                    message = decode_to_child(line)
                    if isinstance(message, RunAttempt):
                        self._orders.put(message)
                    else:
                        self.token.cancel(message.reason)
        finally:
            # Not sys.exit: this is not the main thread, and the main thread may be deep in a training step.
            os._exit(ORPHANED)
