"""Commits under way: each is carried out to its end, and whoever asks for a model meanwhile waits for it.

A job is SUCCEEDED a moment before its model version can be read. A commit whose caller hangs up in that moment goes on
all the same; a reader who has heard of the success waits for that moment instead of hearing NOT_FOUND (P23). A crash in
between leaves no such commit; then the registrar makes the version when it hears that the job is completed.
"""

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

from gateway.registrar import Registrar
from headway.runtime.service import Spawner
from headway.v1.records_pb2 import JobRecord

T = TypeVar("T")
_LONGEST_WAIT_SECONDS = 5.0


class Registrations:
    """The commits that this gateway is carrying out, by project."""

    def __init__(self, registrar: Registrar, spawner: Spawner) -> None:
        """Args: registrar: makes the versions. spawner: owns the commits."""
        self._registrar = registrar
        self._spawner = spawner
        self._running: dict[str, set[asyncio.Future[None]]] = {}

    async def carry_out(self, project: str, commit: Coroutine[object, object, T]) -> T:
        """Run a commit to its end, even when the caller is cancelled; returns or raises what it does."""
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        task = self._spawner.spawn("commit", _settle(commit, answer))
        running = self._running.setdefault(project, set())
        running.add(task)
        task.add_done_callback(running.discard)
        return await asyncio.shield(answer)

    async def register(self, record: JobRecord) -> None:
        """Make sure that the version of a job with a result can be read; raises StoreUnavailable."""
        await self._registrar.register(record)

    async def settled(self, project: str) -> None:
        """Wait for the commits of a project that are under way now, at most five seconds."""
        running = set(self._running.get(project, ()))
        if running:
            await asyncio.wait(running, timeout=_LONGEST_WAIT_SECONDS)


async def _settle(commit: Coroutine[object, object, T], answer: "asyncio.Future[T]") -> None:
    """Run the commit and pass its outcome on to whoever still listens."""
    try:
        answer.set_result(await commit)
    except asyncio.CancelledError:
        answer.cancel()
        raise
    except Exception as error:  # noqa: BLE001 - it is raised again where it is waited for
        answer.set_exception(error)
        # Nobody may be waiting any more; then this must not be reported as never retrieved.
        answer.exception()
