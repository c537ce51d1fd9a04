import pytest

from headway.client import RemoteError
from headway.contract.errors import Code
from headway.v1.jobs_service_pb2 import LogLine, TailLogsResponse
from tests.unit.client.scripted_gateway import Broken, InstantClock, ScriptedJobs, scripted

JOB = "j" + "a" * 25
AWAY = Broken(Code.UNAVAILABLE, "SERVICE_UNAVAILABLE")


def lines(*positions: tuple[int, int]) -> TailLogsResponse:
    return TailLogsResponse(lines=[LogLine(attempt=attempt, number=number) for attempt, number in positions])


async def told(jobs: ScriptedJobs, first_line: int = 1) -> list[tuple[int, int]]:
    async with scripted(jobs, InstantClock()) as client:
        return [(line.attempt, line.number) async for line in client.jobs.logs(JOB, first_line=first_line, follow=True)]


async def test_each_line_is_told_once_over_a_broken_stream() -> None:
    jobs = ScriptedJobs(logs=[[lines((1, 1), (1, 2)), AWAY], [lines((1, 1), (1, 2), (1, 3)), lines((2, 1))]])
    assert await told(jobs) == [(1, 1), (1, 2), (1, 3), (2, 1)]


async def test_a_stream_that_broke_before_its_first_line_asks_for_the_same() -> None:
    jobs = ScriptedJobs(logs=[[AWAY], [lines((1, 7), (1, 8))]])
    assert await told(jobs, first_line=-2) == [(1, 7), (1, 8)]
    assert jobs.first_lines == [-2, -2]


async def test_a_tail_that_broke_is_read_from_the_start_without_what_was_told() -> None:
    jobs = ScriptedJobs(logs=[[lines((1, 9)), AWAY], [lines((1, 1), (1, 9), (1, 10))]])
    assert await told(jobs, first_line=-1) == [(1, 9), (1, 10)]
    assert jobs.first_lines == [-1, 1]


async def test_a_refusal_is_raised() -> None:
    with pytest.raises(RemoteError, match="NOT_FOUND"):
        await told(ScriptedJobs(logs=[[Broken(Code.NOT_FOUND, "NOT_FOUND")]]))
