"""Whoever waits for a job hears of its end once, and no end is missed."""

import asyncio
from datetime import timedelta

import pytest

from gateway.predict_endings import Endings
from gateway.projection.rows import JobSeen
from headway.contract.errors import PredictionFailed, TooManyPredictions
from headway.contract.transitions import request_cancel
from headway.v1.records_pb2 import JobRecord
from tests.unit.gateway.builders import NOW, a_record, seen


def cancelled(record: JobRecord) -> JobRecord:
    changed = request_cancel(record, message="", now=NOW + timedelta(seconds=1))
    assert changed is not None
    return changed


async def test_the_record_of_the_end_is_handed_over() -> None:
    endings, record = Endings(), a_record()
    told = seen(record, 1)
    with endings.awaited(told.job_id) as ended:
        endings.saw(told)
        await asyncio.sleep(0)
        assert not ended.done()

        endings.saw(seen(cancelled(record), 2))
        endings.saw(seen(a_record(), 3))
        endings.saw(seen(cancelled(record), 4))

        assert await ended == cancelled(record)


async def test_a_job_that_is_deleted_meanwhile_is_an_error() -> None:
    endings = Endings()
    with endings.awaited("j") as ended:
        endings.saw(JobSeen("j", 5, None, b""))

        with pytest.raises(PredictionFailed, match="deleted"):
            await ended


async def test_one_too_many_is_refused_and_room_comes_back() -> None:
    endings = Endings(max_waiting=1)
    with (
        endings.awaited("j1"),
        pytest.raises(TooManyPredictions, match="1 predictions wait") as refusal,
        endings.awaited("j2"),
    ):
        pass
    assert refusal.value.retry_after is not None

    with endings.awaited("j3"):
        pass
