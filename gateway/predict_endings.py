"""Tells whoever waits for an internal job how it ended. Told by the feed of jobs."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from gateway.projection.rows import JobSeen
from headway.contract.errors import PredictionFailed, TooManyPredictions
from headway.contract.limits import PREDICTIONS_IN_FLIGHT_MAX
from headway.contract.states import is_terminal
from headway.v1.records_pb2 import JobRecord

RETRY_AFTER = timedelta(seconds=1)


class Endings:
    """The jobs that somebody waits for, at most so many."""

    def __init__(self, *, max_waiting: int = PREDICTIONS_IN_FLIGHT_MAX) -> None:
        """Args: max_waiting: jobs that may be waited for at a time."""
        self._max_waiting = max_waiting
        self._waiting: dict[str, asyncio.Future[JobRecord]] = {}

    @contextmanager
    def awaited(self, job_id: str) -> Iterator["asyncio.Future[JobRecord]"]:
        """The record with which a job will end; begin before the job is made, so that no end is missed.

        Raises:
            TooManyPredictions: as many are waited for as may; nothing was begun.
        """
        if len(self._waiting) >= self._max_waiting:
            raise TooManyPredictions(
                f"{self._max_waiting} predictions wait for their answers, and no more may; ask again in a moment",
                metadata={"quota": "predictions in flight", "limit": str(self._max_waiting), "left": "0"},
                retry_after=RETRY_AFTER,
            )
        future = self._waiting[job_id] = asyncio.get_running_loop().create_future()
        try:
            yield future
        finally:
            del self._waiting[job_id]
            future.cancel()

    def saw(self, seen: JobSeen) -> None:
        """Take note of a revision."""
        future = self._waiting.get(seen.job_id)
        if future is None or future.done():
            return
        if seen.record is None:
            future.set_exception(PredictionFailed("the prediction's job was deleted while it was worked on; ask again"))
            # Its caller may be gone by now.
            future.exception()
        elif is_terminal(seen.record.job.state):
            future.set_result(seen.record)
