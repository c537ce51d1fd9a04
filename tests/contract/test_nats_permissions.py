"""The NATS users of deploy/: each can do what its service does, and is refused what another service does.

That the real services need no more is shown in test_deploy_start.py; here stand the refusals.
"""

import asyncio
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import nats
import pytest

from headway.contract.errors import StoreUnavailable
from headway.contract.subjects import (
    BUCKETS,
    EVENTS,
    HOST_EVENTS,
    JOB_EVENTS,
    JOBS,
    MODEL_EVENTS,
    NOTIFIER,
    PROGRESS,
    STREAMS,
    host_event_subject,
    job_event_subject,
    log_subject,
    model_event_subject,
    progress_subject,
)
from headway.runtime.feeds import LAST_PER_SUBJECT, Durable
from headway.runtime.nats_bus import BusOptions, connect
from headway.runtime.nats_server import nats_server_path
from headway.runtime.nats_settling import settle
from headway.v1.records_pb2 import NotifierRecord
from notifier.ledger import ledger_key
from notifier.post import consumer_name
from tests.contract.deployment import DEPLOY, NATS_CONFIG, USERS, DeployedNats, deployed_nats, make_passwords
from tests.contract.nats_rights import may_publish, may_subscribe

JOB = "j" + "a" * 25
SINKS = ("log", "webhook", "discord")
SHORT = BusOptions(request_timeout_seconds=0.5)
ALL_STREAMS = [spec.stream_name for spec in (*BUCKETS, *STREAMS)]
LIFE_OF_A_JOB = [job_event_subject(event, "p", JOB) for event in JOB_EVENTS]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployedNats]:
    """One server for all tests here: they change nothing that another one looks at."""
    with deployed_nats(tmp_path_factory.mktemp("nats")) as running:
        asyncio.run(_provision(running))
        yield running


async def _provision(server: DeployedNats) -> None:
    async with connect(server.url("gateway"), "gateway") as bus:
        await bus.provision(BUCKETS, STREAMS)


def records(*buckets: str) -> list[str]:
    return [f"$KV.{bucket}.x" for bucket in buckets]


MAY_WRITE = {
    "gateway": [
        *records("jobs", "datasets", "models", "settings", "keys"),
        progress_subject("p", JOB),
        log_subject("p", JOB),
        *(model_event_subject(event, "p", "m") for event in MODEL_EVENTS),
    ],
    "scheduler": [
        *records("jobs", "hosts", "leases"),
        *LIFE_OF_A_JOB,
        *(host_event_subject(event, "h") for event in HOST_EVENTS),
    ],
    "notifier": records("notifier"),
    "subscriber": [],
}
WRITTEN = sorted({subject for subjects in MAY_WRITE.values() for subject in subjects})


@pytest.mark.parametrize("name", USERS)
@pytest.mark.parametrize("subject", WRITTEN)
async def test_a_user_writes_what_is_its_own_and_nothing_else(server: DeployedNats, name: str, subject: str) -> None:
    """F47."""
    assert await may_publish(server, name, subject) == (subject in MAY_WRITE[name])


DESTRUCTIVE = [
    f"$JS.API.STREAM.{verb}.{stream}"
    for verb in ("DELETE", "PURGE", "MSG.DELETE", "RESTORE", "SNAPSHOT")
    for stream in ("KV_jobs", "EVENTS")
]


@pytest.mark.parametrize("name", USERS)
async def test_nobody_can_destroy(server: DeployedNats, name: str) -> None:
    allowed = [subject for subject in DESTRUCTIVE if await may_publish(server, name, subject)]
    assert allowed == []


@pytest.mark.parametrize("stream", ALL_STREAMS)
async def test_only_the_gateway_makes_and_changes_streams(server: DeployedNats, stream: str) -> None:
    made_by = {name for name in USERS if await may_publish(server, name, f"$JS.API.STREAM.CREATE.{stream}")}
    changed_by = {name for name in USERS if await may_publish(server, name, f"$JS.API.STREAM.UPDATE.{stream}")}
    volatile = {"scheduler"} if stream in {"PROGRESS", "LOGS"} else set[str]()
    assert (made_by, changed_by) == ({"gateway"} | volatile, {"gateway"})


@pytest.mark.parametrize("stream", ALL_STREAMS)
async def test_the_notifier_reads_events_progress_and_its_own_notes_only(server: DeployedNats, stream: str) -> None:
    consumers = [f"$JS.API.CONSUMER.CREATE.{stream}.{consumer_name(sink)}" for sink in SINKS]
    reads = [f"$JS.API.STREAM.MSG.GET.{stream}", *consumers, f"$JS.API.CONSUMER.CREATE.{stream}.feed-0"]
    allowed = [await may_publish(server, "notifier", subject) for subject in reads]
    is_own, is_events, is_progress = (stream == spec.stream_name for spec in (NOTIFIER, EVENTS, PROGRESS))
    assert allowed == [is_own, *[is_events or is_progress] * len(SINKS), is_progress]


async def test_keys_are_read_by_those_who_check_them(server: DeployedNats) -> None:
    subjects = ["$JS.API.STREAM.MSG.GET.KV_keys", "$JS.API.DIRECT.GET.KV_keys", "$JS.API.CONSUMER.CREATE.KV_keys.x"]
    readers = {(name, subject) for name in USERS for subject in subjects if await may_publish(server, name, subject)}
    # The gateway keeps a copy of them, from which a store that was lost is filled again.
    assert readers == {("gateway", subjects[0]), ("gateway", subjects[2]), ("scheduler", subjects[0])}


@pytest.mark.parametrize("name", USERS)
async def test_nobody_hears_what_is_meant_for_another(server: DeployedNats, name: str) -> None:
    foreign = [f"_INBOX_{other}.>" for other in USERS if other != name]
    subjects = [">", "$KV.>", "$KV.keys.>", "$JS.>", *foreign]
    # What is answered to a subscriber is answered in an account without services.
    subjects += [] if name == "subscriber" else ["_INBOX.>"]
    assert [subject for subject in subjects if await may_subscribe(server, name, subject)] == []


async def test_a_subscriber_hears_events_progress_and_logs(server: DeployedNats) -> None:
    client = await nats.connect(server.url("subscriber"))
    subscription = await client.subscribe("trainer.>")
    await settle(client)
    async with connect(server.url("gateway"), "gateway") as gateway:
        await gateway.publish(progress_subject("p", JOB), b"one")
    async with connect(server.url("scheduler"), "scheduler") as scheduler:
        await scheduler.publish(job_event_subject("queued", "p", JOB), b"two")
    assert [(await subscription.next_msg(timeout=5)).data for _ in range(2)] == [b"one", b"two"]
    await client.close()


@pytest.mark.parametrize("sink", SINKS)
async def test_the_notifier_lives_on_what_it_may(server: DeployedNats, sink: str) -> None:
    async with connect(server.url("scheduler"), "scheduler") as scheduler:
        stored = await scheduler.publish(host_event_subject("joined", "h"), b"hello")
    async with connect(server.url("notifier"), "notifier", options=SHORT) as bus:
        await bus.provision((NOTIFIER,), (EVENTS,))
        notes = bus.records(NOTIFIER, NotifierRecord)
        await notes.put(ledger_key(sink), NotifierRecord(delivered_sequence=1))
        assert (await notes.get(ledger_key(sink))).value.delivered_sequence == 1
        await bus.delete_consumer(EVENTS, consumer_name(sink))
        durable = Durable(name=consumer_name(sink), start_sequence=stored.sequence)
        async with bus.feed(EVENTS, durable=durable) as feed, asyncio.timeout(5):
            async for message in feed:
                await feed.ack(message)
                break
        assert message.data == b"hello"


async def test_the_notifier_follows_the_progress_of_jobs(server: DeployedNats) -> None:
    async with connect(server.url("gateway"), "gateway") as gateway:
        await gateway.publish(progress_subject("followed", JOB), b"half")
    async with connect(server.url("notifier"), "notifier", options=SHORT) as bus:
        async with bus.feed(PROGRESS, start=LAST_PER_SUBJECT, restart_when_replaced=True) as feed, asyncio.timeout(5):
            async for message in feed:
                if message.data == b"half":
                    break
        assert message.subject == progress_subject("followed", JOB)


async def test_the_notifier_cannot_let_the_server_write_for_it(server: DeployedNats) -> None:
    """A consumer may name any subject to deliver to; the records of jobs must not be such a subject."""
    async with connect(server.url("scheduler"), "scheduler") as scheduler:
        await scheduler.publish(host_event_subject("lost", "h"), b"forged")
    config = {"durable_name": "notifier-log", "deliver_subject": "$KV.jobs.forged", "ack_policy": "none"}
    client = await nats.connect(server.url("notifier"), inbox_prefix="_INBOX_notifier")
    await client.request("$JS.API.CONSUMER.DELETE.EVENTS.notifier-log", b"")
    request = json.dumps({"stream_name": "EVENTS", "config": config}).encode()
    await client.request("$JS.API.CONSUMER.CREATE.EVENTS.notifier-log", request)
    await asyncio.sleep(0.5)
    await client.request("$JS.API.CONSUMER.DELETE.EVENTS.notifier-log", b"")
    await client.close()
    async with connect(server.url("gateway"), "gateway") as gateway:
        assert await gateway.last_message(JOBS, "$KV.jobs.forged") is None


@pytest.mark.parametrize("url", ["nats://127.0.0.1", "nats://gateway:{}@127.0.0.1", "nats://admin:{}@127.0.0.1"])
async def test_nobody_gets_in_without_a_password(server: DeployedNats, url: str) -> None:
    options = BusOptions(connect_timeout_seconds=1.0)
    with pytest.raises(StoreUnavailable):
        async with connect(f"{url.format('wrong')}:{server.port}", "test", options=options):
            pytest.fail("it let us in")


def test_the_server_takes_the_configuration(tmp_path: Path) -> None:
    environ = make_passwords(tmp_path, "nats:4222") | {"NATS_STORE_DIR": str(tmp_path)}
    check = [nats_server_path(), "-t", "--config", str(NATS_CONFIG)]
    assert subprocess.run(check, env=environ, capture_output=True, check=False).returncode == 0
    for missing in environ:
        rest = {name: value for name, value in environ.items() if name != missing}
        refused = subprocess.run(check, env=rest, capture_output=True, text=True, check=False)
        assert refused.returncode != 0
        assert missing in refused.stderr


def test_the_configuration_holds_no_password_and_syncs_always() -> None:
    text = NATS_CONFIG.read_text(encoding="utf-8")
    assert set(re.findall(r"password: *(\S+?),", text)) == {f"$NATS_{name.upper()}_PASSWORD" for name in USERS}
    assert re.findall(r"sync_interval: *(\S+)", text) == ["always"]


def test_passwords_are_private_and_differ_and_are_never_written_over(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    environ = make_passwords(folder, "nats:4222")
    assert sorted(environ) == sorted(f"NATS_{name.upper()}_PASSWORD" for name in USERS)
    assert len(set(environ.values())) == len(USERS)
    assert all(len(password) == 49 for password in environ.values())
    assert {path.stat().st_mode & 0o077 for path in (folder, *folder.iterdir())} == {0}
    with pytest.raises(subprocess.CalledProcessError):
        make_passwords(folder, "nats:4222")
    assert (DEPLOY / ".gitignore").read_text(encoding="utf-8").splitlines()[-1] == "/secrets/"
