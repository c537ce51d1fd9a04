"""The notifier as a process with a webhook, on a real nats-server: killed, shut out, refused, and documented."""

import asyncio
import json
import os
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from headway.runtime.nats_bus import NatsBus
from headway.runtime.nats_server import NatsServer
from headway.testing.eventually import eventually
from headway.testing.life_events import events_of
from headway.testing.ports import free_port
from headway.testing.webhooks import Answer, WebhookReceiver, webhook_receiver
from headway.v1.records_pb2 import JobRecord
from tests.contract.deployment import ROOT
from tests.contract.notifier_process import NotifierProcess
from tests.unit.notifier.doubles import a_failed_job, a_finished_job

SHUT = Answer(status=410)
LONG_SECONDS = 60.0


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookReceiver]:
    async with webhook_receiver() as running:
        yield running


def settings_for(receiver: WebhookReceiver) -> dict[str, str]:
    return {
        "HEADWAY_NOTIFIER__WEBHOOK__URL": receiver.url,
        "HEADWAY_NOTIFIER__WEBHOOK__SECRET": receiver.secret,
        "HEADWAY_NOTIFIER__WEBHOOK__MESSAGES_PER_MINUTE": "6000",
    }


async def publish(bus: NatsBus, *jobs: JobRecord) -> list[str]:
    """Every event of these jobs; their ids."""
    events = [event for job in jobs for event in events_of(job)]
    for event in events:
        await bus.publish(event.subject, event.body, message_id=event.message_id)
    return [event.message_id for event in events]


def num_repeated_messages(receiver: WebhookReceiver) -> int:
    """Messages with anything in them that an earlier one had told."""
    seen: set[str] = set()
    num_repeated = 0
    for delivery in receiver.processed:
        num_repeated += not seen.isdisjoint(delivery.event_ids)
        seen.update(delivery.event_ids)
    return num_repeated


def in_order(event_ids: Iterable[str]) -> bool:
    """Whether the events of each job come in the order of its transitions."""
    newest: Counter[str] = Counter()
    for event_id in event_ids:
        job, _, number = event_id.rpartition(":")
        if int(number) <= newest[job]:
            return False
        newest[job] = int(number)
    return True


def lines_of(process: NotifierProcess, event: str) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in process.log.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line["event"] == event]


async def test_killed_at_any_instant_it_repeats_at_most_one_message_that_can_be_told_by_its_id(
    nats_server: NatsServer, nats_bus: NatsBus, receiver: WebhookReceiver, tmp_path: Path
) -> None:
    """P26, F49: kill -9 at six random instants while events flow."""
    seed = random.randrange(1_000_000)
    dice, expected = random.Random(seed), list[str]()
    for _ in range(6):
        async with NotifierProcess.run(
            nats_server, tmp_path / "notifier", is_read=True, **settings_for(receiver)
        ) as notifier:
            for _ in range(dice.randint(1, 6)):
                expected += await publish(nats_bus, a_finished_job(now()))
                await asyncio.sleep(dice.uniform(0.0, 0.05))
            await asyncio.sleep(dice.uniform(0.0, 0.15))
            await notifier.kill()
    assert num_repeated_messages(receiver) <= 6, seed
    async with NotifierProcess.run(
        nats_server, tmp_path / "notifier", is_read=True, **settings_for(receiver)
    ) as notifier:
        await eventually(lambda: set(receiver.event_ids) == set(expected), timeout_seconds=LONG_SECONDS)
        assert await notifier.stop() == 0
    assert num_repeated_messages(receiver) <= 6, seed
    assert len(receiver.event_ids) == len(expected), seed  # A receiver that drops repeated ids saw each event once.
    assert in_order(receiver.event_ids), seed


@pytest.mark.parametrize("is_processed", [True, False])
async def test_killed_between_sending_and_writing_down_it_sends_that_message_again_and_no_other(
    nats_server: NatsServer, nats_bus: NatsBus, receiver: WebhookReceiver, tmp_path: Path, is_processed: bool
) -> None:
    """F49, to the point: the receiver has it, the answer never came, and more was published before the next start."""
    expected: list[str] = []
    for _ in range(3):
        receiver.answers.append(Answer(is_hang=True, is_processed=is_processed))
        async with NotifierProcess.run(
            nats_server, tmp_path / "notifier", is_read=True, **settings_for(receiver)
        ) as notifier:
            expected += await publish(nats_bus, a_finished_job(now()))
            await eventually(lambda: not receiver.answers, timeout_seconds=LONG_SECONDS)
            await notifier.kill()
        expected += await publish(nats_bus, a_failed_job(now()))
    async with NotifierProcess.run(nats_server, tmp_path / "notifier", is_read=True, **settings_for(receiver)):
        await eventually(lambda: set(receiver.event_ids) == set(expected), timeout_seconds=LONG_SECONDS)
    ids = [delivery.webhook_id for delivery in receiver.deliveries]
    assert ids[:4] == [ids[0]] * 4  # Sent three times in vain, and again by the fourth process.
    assert len(set(ids[4:])) == len(ids[4:])
    assert len(receiver.event_ids) == len(expected)
    assert in_order(receiver.event_ids)


async def test_the_outage_of_one_sink_holds_up_no_other(
    nats_server: NatsServer, nats_bus: NatsBus, receiver: WebhookReceiver, tmp_path: Path
) -> None:
    """F50."""
    receiver.always = Answer(status=503, headers={"Retry-After": "1"})
    async with NotifierProcess.run(
        nats_server, tmp_path / "notifier", is_read=True, **settings_for(receiver)
    ) as notifier:
        expected = await publish(nats_bus, *(a_finished_job(now()) for _ in range(5)))
        await eventually(lambda: len(notifier.told) == 20, timeout_seconds=LONG_SECONDS)
        await eventually(lambda: receiver.deliveries, timeout_seconds=LONG_SECONDS)
        assert await notifier.is_serving("headway.notifier.log")
        assert await notifier.is_serving()

        async def is_red() -> bool:
            return not await notifier.is_serving("headway.notifier.webhook")

        await eventually(is_red, timeout_seconds=LONG_SECONDS)
        receiver.always = Answer(status=200, is_processed=True)
        await eventually(lambda: set(receiver.event_ids) == set(expected), timeout_seconds=LONG_SECONDS)
        await eventually(lambda: notifier.is_serving("headway.notifier.webhook"), timeout_seconds=LONG_SECONDS)
    assert num_repeated_messages(receiver) == 0
    assert receiver.num_forged == 0


async def test_a_receiver_that_is_gone_is_asked_once_and_the_log_says_what_to_do(
    nats_server: NatsServer, nats_bus: NatsBus, receiver: WebhookReceiver, tmp_path: Path
) -> None:
    """F51: and what it has missed is there when somebody has acted."""
    receiver.always = SHUT
    async with NotifierProcess.run(
        nats_server, tmp_path / "notifier", is_read=True, **settings_for(receiver)
    ) as notifier:
        expected = await publish(nats_bus, a_finished_job(now()))
        await eventually(lambda: receiver.deliveries, timeout_seconds=LONG_SECONDS)
        expected += await publish(nats_bus, a_finished_job(now()))
        await eventually(lambda: len(notifier.told) == 8, timeout_seconds=LONG_SECONDS)
        [line] = lines_of(notifier, "the sink takes nothing until somebody acts; nothing is lost")
        assert "notifier.webhook.url" in str(line["remedy"])
        assert len(receiver.deliveries) == 1
        assert not await notifier.is_serving("headway.notifier.webhook")
        assert await notifier.stop() == 0
        assert receiver.url not in notifier.log.read_text(encoding="utf-8")
    receiver.always = Answer(is_processed=True)
    async with NotifierProcess.run(nats_server, tmp_path / "notifier", is_read=True, **settings_for(receiver)):
        await eventually(lambda: receiver.event_ids == expected, timeout_seconds=LONG_SECONDS)


async def test_the_receiver_of_the_documentation_takes_what_is_sent(
    nats_server: NatsServer, nats_bus: NatsBus, receiver: WebhookReceiver, tmp_path: Path
) -> None:
    """docs/webhooks.md, run as it stands there."""
    async with documented_receiver(tmp_path, receiver.secret) as (url, output):
        environ = settings_for(receiver) | {"HEADWAY_NOTIFIER__WEBHOOK__URL": url}
        async with NotifierProcess.run(nats_server, tmp_path / "notifier", is_read=True, **environ) as notifier:
            job = a_failed_job(now())
            await publish(nats_bus, job)
            told = f"Training failed: {job.job.name}"
            await eventually(lambda: told in output.read_text(encoding="utf-8"), timeout_seconds=LONG_SECONDS)
            assert await notifier.stop() == 0
            assert lines_of(notifier, "message not taken; trying again") == []


@asynccontextmanager
async def documented_receiver(folder: Path, secret: str) -> AsyncIterator[tuple[str, Path]]:
    """The program of the page in a process of its own; its address and what it prints."""
    page = (ROOT / "docs" / "webhooks.md").read_text(encoding="utf-8")
    [program] = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    assert len([line for line in program.splitlines() if line and not line.startswith(("import", "from"))]) <= 10
    port, output = free_port(), folder / "receiver.log"
    environ = os.environ | {"WEBHOOK_SECRET": secret, "PORT": str(port), "PYTHONUNBUFFERED": "1"}
    with output.open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, env=environ, stdout=log, stderr=log
        )
    try:
        await eventually(lambda: "Running on" in output.read_text(encoding="utf-8"), timeout_seconds=LONG_SECONDS)
        yield f"http://127.0.0.1:{port}/hook", output
    finally:
        process.kill()
        await process.wait()


@pytest.mark.parametrize(
    ("environ", "key"),
    [
        ({"HEADWAY_NOTIFIER__WEBHOOK__URL": "http://example.com/hunter2"}, "notifier.webhook.url"),
        ({"HEADWAY_NOTIFIER__WEBHOOK__URL": "https://u:hunter2" + "@example.com/"}, "notifier.webhook.url"),
        ({"DISCORD_TOKEN": "hunter2", "DISCORD_OWNER_ID": ""}, "notifier.discord.owner_id"),
        ({"HEADWAY_NOTIFIER__WEBHOOK__SECRETT": "hunter2"}, "HEADWAY_NOTIFIER__WEBHOOK__SECRET?"),
        ({"HEADWAY_NOTIFIER__DISCORD__TOKEN_FILE": "{folder}/open"}, "chmod 600 open"),
    ],
)
def test_it_does_not_start_with_what_would_not_be_safe_and_says_the_key(
    tmp_path: Path, environ: dict[str, str], key: str
) -> None:
    """F-7, as a user meets it."""
    (tmp_path / "open").write_text("hunter2", encoding="utf-8")
    (tmp_path / "open").chmod(0o644)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("HEADWAY_", "DISCORD_"))}
    settings = {name: value.format(folder=tmp_path) for name, value in environ.items()}
    command = [sys.executable, "-m", "notifier"]
    refused = subprocess.run(
        command,
        env=inherited | {"HEADWAY_HOME": str(tmp_path)} | settings,
        capture_output=True,
        text=True,
        check=False,
        timeout=LONG_SECONDS,
    )
    assert refused.returncode == 2
    assert key in refused.stderr
    assert "hunter2" not in refused.stdout + refused.stderr
