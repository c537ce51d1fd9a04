"""F49, P26: the notifier as a process, killed between sending a message and writing down that it was sent."""

from collections import Counter
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from headway.runtime.nats_bus import NatsBus
from headway.runtime.nats_server import NatsServer
from headway.testing.discord.faults import Drop, Fault
from headway.testing.discord.server import FakeDiscord, fake_discord
from headway.testing.eventually import eventually
from headway.testing.life_events import events_of
from headway.v1.records_pb2 import JobRecord
from tests.contract.notifier_process import NotifierProcess
from tests.unit.notifier.doubles import a_finished_job

LIMIT_SECONDS = 30.0
ROUNDS = 3
ENDS = "Training completed"


def environ(discord: FakeDiscord) -> dict[str, str]:
    return {
        "HEADWAY_NOTIFIER__DISCORD__TOKEN": discord.token,
        "HEADWAY_NOTIFIER__DISCORD__OWNER_ID": str(discord.owner_id),
        "HEADWAY_NOTIFIER__DISCORD__API_BASE": discord.api_base,
        "HEADWAY_NOTIFIER__DISCORD__GATEWAY_URL": discord.gateway_url,
    }


async def publish(bus: NatsBus, job: JobRecord) -> None:
    for event in events_of(job):
        await bus.publish(event.subject, event.body, message_id=event.message_id)


def job_of(description: str) -> str:
    """The id in its first line."""
    return description.partition("\n")[0].split("`")[1]


def told(discord: FakeDiscord) -> Counter[tuple[str, str]]:
    return Counter(
        (embed.title or "", job_of(embed.description or "")) for message in discord.pushed for embed in message.embeds
    )


def ends(discord: FakeDiscord) -> list[str]:
    """Every end as often as it was told; behind a crash, what came before it is told along with it."""
    return [job for (title, job), number in told(discord).items() for _ in range(number) if title == ENDS]


def ids(jobs: list[JobRecord]) -> set[str]:
    return {job.job.name.rpartition("/")[2] for job in jobs}


def has_hit(fault: Fault) -> bool:
    return fault.num_hits > 0


def has_more(discord: FakeDiscord, number: int) -> bool:
    return len(discord.pushed) > number


async def test_a_kill_between_send_and_mark_repeats_nothing(
    nats_server: NatsServer, nats_bus: NatsBus, tmp_path: Path
) -> None:
    """The message arrives, its answer does not, and the process dies; the next try finds it by its nonce."""
    async with fake_discord() as discord:
        jobs: list[JobRecord] = []
        for _ in range(ROUNDS):
            async with NotifierProcess.run(
                nats_server, tmp_path / "notifier", is_read=True, **environ(discord)
            ) as notifier:
                await discord.gateway.wait_connected(LIMIT_SECONDS)
                fault = discord.faults.add("POST", "/channels/*/messages", Drop(is_carried_out=True), times=None)
                job = a_finished_job(datetime.now(UTC))
                jobs.append(job)
                await publish(nats_bus, job)
                await eventually(partial(has_hit, fault), timeout_seconds=LIMIT_SECONDS)
                await notifier.kill()
            discord.faults.remove(fault)
        async with NotifierProcess.run(
            nats_server, tmp_path / "notifier", is_read=True, **environ(discord)
        ) as notifier:
            await eventually(lambda: set(ends(discord)) == ids(jobs), timeout_seconds=LIMIT_SECONDS)
            assert await notifier.stop() == 0
        assert max(told(discord).values()) == 1
        assert discord.traffic.count("PUT") == 1  # The commands were kept as known over every restart.


async def test_a_kill_at_any_instant_repeats_at_most_one_message(
    nats_server: NatsServer, nats_bus: NatsBus, tmp_path: Path
) -> None:
    async with fake_discord() as discord:
        jobs: list[JobRecord] = []
        for _ in range(ROUNDS):
            async with NotifierProcess.run(
                nats_server, tmp_path / "notifier", is_read=True, **environ(discord)
            ) as notifier:
                for _job in range(5):
                    jobs.append(a_finished_job(datetime.now(UTC)))
                    await publish(nats_bus, jobs[-1])
                seen = len(discord.pushed)
                await eventually(partial(has_more, discord, seen), timeout_seconds=LIMIT_SECONDS)
                await notifier.kill()
        async with NotifierProcess.run(
            nats_server, tmp_path / "notifier", is_read=True, **environ(discord)
        ) as notifier:
            await eventually(lambda: set(ends(discord)) == ids(jobs), timeout_seconds=LIMIT_SECONDS)
            await notifier.stop()
        assert sorted(ends(discord)) == sorted(ids(jobs))
        assert max(told(discord).values()) == 1


async def test_health_is_red_while_only_a_person_can_help(nats_server: NatsServer, tmp_path: Path) -> None:
    """F51: of the sink and of nothing else; the log says once what is to be done, and never the token."""
    async with fake_discord() as discord:
        wrong = {**environ(discord), "HEADWAY_NOTIFIER__DISCORD__TOKEN": "wrong.secret.token"}
        async with NotifierProcess.run(nats_server, tmp_path / "notifier", is_read=True, **wrong) as notifier:

            def has_remedy() -> bool:
                return "reset the bot's token" in notifier.log.read_text(encoding="utf-8")

            async def is_red() -> bool:
                return not await notifier.is_serving("headway.notifier.discord")

            await eventually(has_remedy, timeout_seconds=LIMIT_SECONDS)
            await eventually(is_red, timeout_seconds=LIMIT_SECONDS)
            assert await notifier.is_serving()
            assert await notifier.is_serving("headway.notifier.log")
            log = notifier.log.read_text(encoding="utf-8")
            assert log.count("reset the bot's token") == 1
            assert "wrong.secret" not in log
            assert discord.traffic.num_invalid == 1
            assert await notifier.stop() == 0
