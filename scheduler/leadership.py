"""Stands by, leads, steps down, and stands by again, for as long as the process lives."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from headway.contract.errors import NotLeader, ServiceUnavailable
from headway.runtime.logs import get_logger
from scheduler.lease_keeper import LeaseKeeper
from scheduler.reign import Reign
from scheduler.synchronize import Synchronizer

_log = get_logger(__name__)
_RETRY_AFTER = timedelta(seconds=0.25)


class Leadership:
    """Whether this process leads, and what it does then."""

    def __init__(
        self,
        keeper: LeaseKeeper,
        new_reign: Callable[[], Reign],
        *,
        tell_serving: Callable[[bool], Awaitable[None]],
    ) -> None:
        """Name the parts.

        Args:
            keeper: of the leader lease.
            new_reign: makes what leads.
            tell_serving: told whenever this process begins or ceases to answer as the leader.
        """
        self.settled = asyncio.Event()
        """Set once it is clear whether this process leads; from then on callers are answered, be it with NOT_LEADER."""
        self.retired = asyncio.Event()
        """Set once `retire` was called and the lease is given back."""
        self._keeper = keeper
        self._new_reign = new_reign
        self._tell_serving = tell_serving
        self._is_retiring = False
        self._reign: Reign | None = None

    async def run(self) -> None:
        """Lead whenever the lease is ours, for ever."""
        while True:
            await self._keeper.take()
            await self._lead()
            if self._is_retiring:
                await self._keeper.give_back()
                self.retired.set()

    async def stand_by(self) -> None:
        """Settle as a standby when somebody else leads, for ever."""
        await self._keeper.stood_by.wait()
        if self._reign is None:
            _log.info("standing by", leader=self._keeper.leader_address)
            self.settled.set()
        await asyncio.Event().wait()

    def retire(self) -> None:
        """Lead no longer, and never again; a standby has nothing to give back."""
        self._is_retiring = True
        self._keeper.retire()
        if self._reign is None:
            self.retired.set()

    def check(self) -> None:
        """Refuse whom only the leader can answer.

        Raises:
            NotLeader: this process does not lead.
            ServiceUnavailable: it leads since a moment ago and is still recovering.
        """
        if self._reign is None or not self._keeper.is_held():
            raise self._refusal()
        if not self._reign.recovered.is_set():
            raise ServiceUnavailable("the scheduler is still recovering", retry_after=timedelta(seconds=1))

    async def synchronizer(self) -> Synchronizer:
        """Where hosts are heard. A host that calls at the start, or during recovery, waits until that is over.

        Raises:
            NotLeader: this process does not lead.
        """
        reign = self._reign
        if reign is None:
            await self.settled.wait()
            reign = self._reign
        if reign is not None:
            await reign.recovered.wait()
        if reign is None or reign.is_over or not self._keeper.is_held():
            raise self._refusal()
        return reign.synchronizer

    async def _lead(self) -> None:
        reign = self._reign = self._new_reign()
        _log.info("leading", reign=self._keeper.reign)
        try:
            async with asyncio.TaskGroup() as group:
                loops = (*reign.loops, self._keeper.renew, lambda: self._serve(reign))
                tasks = [group.create_task(_awaiting(loop)) for loop in loops]
                await self._keeper.until_lost()
                for task in tasks:
                    task.cancel()
        finally:
            self._reign = None
            reign.end()
            await self._tell_serving(False)  # noqa: FBT003 - a callback's only argument
        _log.info("stepped down", leader=self._keeper.leader_address)

    async def _serve(self, reign: Reign) -> None:
        await reign.recovered.wait()
        await self._tell_serving(True)  # noqa: FBT003 - as above
        self.settled.set()
        await asyncio.Event().wait()

    def _refusal(self) -> NotLeader:
        address = self._keeper.leader_address
        where = f"the leader is {address}" if address else "none leads at this moment"
        return NotLeader(
            f"this scheduler stands by and {where}; call again, and name every scheduler in scheduler_address",
            metadata={"leader": address} if address else {},
            retry_after=_RETRY_AFTER,
        )


async def _awaiting(loop: Callable[[], Awaitable[None]]) -> None:
    await loop()
