"""What the bot asks the gateway, which is the source of truth."""

from collections.abc import Sequence
from typing import Protocol

from headway.client import HeadwayClient, Jobs
from headway.contract.errors import Code
from headway.contract.ids import JobName
from headway.contract.times import moment
from headway.runtime.clock import Clock
from headway.runtime.remote_error import RemoteError
from headway.v1.jobs_pb2 import Job

_WHY = "asked for by the owner from Discord"


class RunsGateway(Protocol):
    """The few calls that the bot makes. Each raises RemoteError, with the reason, when it cannot be answered."""

    async def get(self, name: JobName) -> Job:
        """One job."""
        ...

    async def recent(self, projects: Sequence[str], limit: int) -> list[Job]:
        """The newest jobs of these projects together, newest first; a project that the key may not see has none."""
        ...

    async def pause(self, name: JobName) -> Job:
        """Ask it to give its host up."""
        ...

    async def resume(self, name: JobName) -> Job:
        """Let it go on."""
        ...

    async def cancel(self, name: JobName) -> Job:
        """Ask it to stop for good."""
        ...


class ClientGateway:
    """See `RunsGateway`; over gRPC."""

    def __init__(self, client: HeadwayClient, clock: Clock) -> None:
        self._jobs = client.jobs
        self._channel = client.channel
        self._clock = clock

    async def get(self, name: JobName) -> Job:
        """One job."""
        return await self._jobs.get(name.name)

    async def recent(self, projects: Sequence[str], limit: int) -> list[Job]:
        """The newest jobs of these projects together, newest first."""
        found: list[Job] = []
        for project in projects:
            try:
                found += await self._newest_of(project, limit)
            except RemoteError as error:
                if error.code not in {Code.PERMISSION_DENIED, Code.NOT_FOUND}:
                    raise
        return sorted(found, key=lambda job: moment(job.create_time), reverse=True)[:limit]

    async def _newest_of(self, project: str, limit: int) -> list[Job]:
        found: list[Job] = []
        async for job in Jobs(self._channel, project, self._clock).list(page_size=limit):
            found.append(job)
            if len(found) >= limit:
                break
        return found

    async def pause(self, name: JobName) -> Job:
        """Ask it to give its host up."""
        return await self._jobs.pause(name.name, message=_WHY)

    async def resume(self, name: JobName) -> Job:
        """Let it go on."""
        return await self._jobs.resume(name.name, message=_WHY)

    async def cancel(self, name: JobName) -> Job:
        """Ask it to stop for good."""
        return await self._jobs.cancel(name.name, message=_WHY)
