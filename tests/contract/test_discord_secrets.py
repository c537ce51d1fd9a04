"""P30, P31, F-5: whatever stands in names, metrics and errors, no secret, no ping and no link reaches the owner."""

from datetime import UTC, datetime

import pytest

from headway.contract.transitions import commit_result
from headway.testing.discord.server import FakeDiscord, fake_discord
from headway.testing.eventually import eventually
from headway.testing.memory_bus import MemoryBus
from headway.v1.jobs_pb2 import Bundle, JobResult, ResultSummary
from headway.v1.records_pb2 import JobRecord
from tests.contract.discord_life import BotLife
from tests.unit.notifier.doubles import a_cancelled_job, a_failed_job, a_running_job

LIMIT_SECONDS = 20.0
SECRETS = (
    "hw_live_0123456789abcdefghij",
    "/home" + "/u/corpus/x.txt",
    "MTk4NjIyNDgzNDcxOTI1MjQ4.Cl2FMQ." + "ZnCjm1XVW7vRze4b7Cq4se7kKWs",
    "nats://user:hunter2secret" + "@127.0.0.1:4222",
)
KNOWN_BY = ("0123456789abcdefghij", "corpus/x.txt", "ZnCjm1XVW7vRze4b7Cq4se7kKWs", "hunter2secret")
MISCHIEF = (
    "@everyone @here <@80351110224678912> <@&80351110224678912> <#80351110224678912> </trainer runs:80351110224678912>",
    "**bold** __under__ ~~gone~~ ||spoiler|| `code` ```block``` > quote # heading - item [Discord](https://evil.example)",
    "https://evil.example/login discord.gg/evil <t:0:R> <:x:80351110224678912> \u202etxt.exe\u200b @\u200beveryone",
    "line one\n# line two\n```\nline three\x1b[31m",
)
RAW = ("@everyone", "@here", "<@", "<#", "</", "<t:", "<:", "https://evil", "discord.gg", "\u202e", "\x1b", "\n#")


def now() -> datetime:
    return datetime.now(UTC)


def a_job_with_metrics(names: tuple[str, ...], *, display_name: str) -> JobRecord:
    summary = ResultSummary(metrics=dict.fromkeys(names, 0.5), headline_metric=names[0][:100], headline_value=0.5)
    result = JobResult(bundle=Bundle(digest="sha256:" + "0" * 64), attempt=1, summary=summary)
    return commit_result(a_running_job(now(), display_name=display_name), host="hosts/a", result=result, now=now())


def everything(discord: FakeDiscord) -> str:
    """All that was ever shown, as it was sent."""
    return "\n".join(message.model_dump_json() for message in discord.messages)


async def expect_clean(discord: FakeDiscord) -> None:
    shown = "\n".join(message.text for message in discord.messages)
    assert [known for known in KNOWN_BY if known in everything(discord)] == []
    assert [raw for raw in RAW if raw in shown] == []
    assert [message.pings for message in discord.messages if message.pings] == []


@pytest.mark.parametrize("planted", [*SECRETS, *MISCHIEF], ids=range(len(SECRETS) + len(MISCHIEF)))
async def test_what_is_planted_does_not_come_out(memory_bus: MemoryBus, planted: str) -> None:
    """In the name, in the metrics, in the error, in the words of a cancellation, and in what is typed."""
    async with fake_discord() as discord, BotLife.of(discord, memory_bus) as life:
        await discord.gateway.wait_connected()
        running = a_running_job(now(), display_name=planted)
        failed = a_failed_job(now(), message=f"it broke: {planted} and {planted}")
        jobs = [
            running,
            failed,
            a_cancelled_job(now(), message=planted),
            a_job_with_metrics((planted, f"{planted} 2"), display_name=f"{planted} " * 20),
        ]
        running.job.wait_reason = planted
        await life.publish(*jobs)
        await eventually(lambda: life.post.ledger.settled.through == 11, timeout_seconds=LIMIT_SECONDS)
        await eventually(lambda: len(life.assembly.ears.store.messages()) == 1, timeout_seconds=LIMIT_SECONDS)
        assert life.post.delivery.num_refused == 0
        for job in jobs:
            job_id = job.job.name.rpartition("/")[2]
            answer = await (await discord.invoke(f"/trainer status run:demo/{job_id}")).answer(LIMIT_SECONDS)
            assert answer.embeds
        await (await discord.invoke("/trainer runs")).answer(LIMIT_SECONDS)
        typed = planted.split(maxsplit=1)[0]
        unknown = await (await discord.invoke(f"/trainer status run:{typed}")).answer(LIMIT_SECONDS)
        assert unknown.text.startswith("No run")
        await expect_clean(discord)
        choices = await discord.autocomplete("/trainer watch run:")
        assert not any(known in choice.name for choice in choices for known in KNOWN_BY)


async def test_long_words_stay_within_the_limits(memory_bus: MemoryBus) -> None:
    """2,000 characters, 6,000 over all embeds, 25 fields: the fake refuses what Discord would refuse."""
    async with fake_discord() as discord, BotLife.of(discord, memory_bus) as life:
        await discord.gateway.wait_connected()
        long = "*_`|" * 2000
        jobs = [a_failed_job(now(), message=long) for _ in range(12)]
        jobs += [a_job_with_metrics(tuple(f"{n}{long}"[:500] for n in range(60)), display_name=long[:300])]
        await life.publish(*jobs)
        num_events = 12 * 3 + 4
        await eventually(lambda: life.post.ledger.settled.through == num_events, timeout_seconds=LIMIT_SECONDS)
        assert life.post.delivery.num_refused == 0
        assert discord.traffic.by_status[400] == 0
