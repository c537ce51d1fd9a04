"""Takes files below the data root into the blob store, once each, however many callers ask."""

import asyncio

from gateway.blobs.disk_threads import DiskThreads
from gateway.blobs.parts import Part
from gateway.blobs.store import BlobInfo, BlobStore
from gateway.data_root import FileFacts, OpenFile
from headway.contract.errors import InvalidDataPath, ServiceUnavailable, Violation, echo
from headway.runtime.service import Spawner

_READ_BYTES = 1024 * 1024
_READS_A_TURN = 64


class Intake:
    """Copies and hashes. A file that takes longer than a call may last is still taken in: the next call joins in."""

    def __init__(self, blobs: BlobStore, threads: DiskThreads, spawner: Spawner) -> None:
        """Args: blobs: where to. threads: for file work. spawner: owns what outlives the call that began it."""
        self._blobs = blobs
        self._threads = threads
        self._spawner = spawner
        self._running: dict[tuple[str, FileFacts], asyncio.Future[BlobInfo]] = {}

    async def take_in(self, project: str, opened: OpenFile, *, field: str) -> BlobInfo:
        """Copy a file's bytes into the store; closes it in the end.

        Raises:
            InvalidDataPath: it was written to while it was read.
            BlobTooLarge, DiskFull: a limit.
        """
        key = (project, opened.facts)
        running = self._running.get(key)
        if running is None:
            running = self._running[key] = asyncio.get_running_loop().create_future()
            self._spawner.spawn("intake", self._run(key, opened, field, running))
        else:
            await self._threads.run(opened.file.close)
        # A caller may leave; the copy goes on.
        return await asyncio.shield(running)

    async def _run(
        self, key: tuple[str, FileFacts], opened: OpenFile, field: str, outcome: asyncio.Future[BlobInfo]
    ) -> None:
        try:
            outcome.set_result(await self._copy(key[0], opened, field))
        except Exception as error:  # noqa: BLE001 - it is raised again in every caller that waits
            outcome.set_exception(error)
            # Nobody may be left to ask for it.
            outcome.exception()
        finally:
            del self._running[key]
            if not outcome.done():
                outcome.set_exception(ServiceUnavailable("the gateway stops; try again"))
                outcome.exception()

    async def _copy(self, project: str, opened: OpenFile, field: str) -> BlobInfo:
        part: Part | None = None
        try:
            part = await self._threads.run(self._blobs.new_nameless_part, project, opened.facts.size_bytes)
            await self._fill(part, opened, field)
            return await self._threads.run(self._blobs.publish, part, project)
        except BaseException:
            if part is not None:
                await self._threads.run(part.discard)
            raise
        finally:
            await self._threads.run(opened.file.close)

    async def _fill(self, part: Part, opened: OpenFile, field: str) -> None:
        while await self._threads.run(_copy_some, part, opened):
            pass
        if part.size != opened.facts.size_bytes or await self._threads.run(opened.has_changed):
            message = f"{echo(opened.facts.data_path)} was written to while it was read; try again when it is complete"
            raise InvalidDataPath(message, violations=[Violation(field, InvalidDataPath.reason, message)])


def _copy_some(part: Part, opened: OpenFile) -> bool:
    """Copy up to 64 MiB, so that the copy can be ended in between. Whether there may be more."""
    for _ in range(_READS_A_TURN):
        piece = opened.file.read(_READ_BYTES)
        # A file that grows while it is read must not fill the disk.
        if not piece or part.size + len(piece) > opened.facts.size_bytes:
            return False
        part.write(piece)
    return True
