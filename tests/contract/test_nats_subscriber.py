"""The user for programs outside: what docs/events.md says that it can do, and that it cannot harm headway (F47).

Who may make any request of JetStream can name the subject of the answer, and a consumer can name a subject to deliver
to. Neither may be a key of a bucket, nor the subject of an event; test_nats_forgery.py shows the same of the services.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import nats
import pytest
from nats.aio.client import Client
from nats.errors import NoRespondersError

from headway.contract.subjects import BUCKETS, EVENTS, JOBS, PROGRESS, STREAMS, job_event_subject, progress_subject
from headway.runtime.feeds import Durable
from headway.runtime.nats_bus import NatsBus, connect
from headway.runtime.nats_settling import settle
from headway.testing.builders import a_claimed_record
from headway.testing.eventually import eventually
from tests.contract.deployment import NATS_CONFIG, DeployedNats, deployed_nats
from tests.contract.nats_rights import may_publish, may_subscribe
from tests.contract.subscriber_process import javascript_command, python_command, subscribing
from tests.event_samples import life_of

API = "$JS.headway.API"
JOB = "j" + "a" * 25
VICTIM = "$KV.jobs.victim"
PRECIOUS = b"precious"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployedNats]:
    with deployed_nats(tmp_path_factory.mktemp("nats")) as running:
        asyncio.run(_provision(running))
        yield running


async def _provision(server: DeployedNats) -> None:
    async with connect(server.url("gateway"), "gateway") as bus:
        await bus.provision(BUCKETS, STREAMS)


@asynccontextmanager
async def a_subscriber(server: DeployedNats) -> AsyncIterator[Client]:
    client = await nats.connect(server.url("subscriber"))
    try:
        yield client
    finally:
        await client.close()


@pytest.fixture
async def gateway(server: DeployedNats) -> AsyncIterator[NatsBus]:
    """Its connection; a precious record is there, and an event."""
    async with connect(server.url("gateway"), "gateway") as bus:
        await bus.publish(VICTIM, PRECIOUS)
        async with connect(server.url("scheduler"), "scheduler") as scheduler:
            await scheduler.publish(job_event_subject("queued", "p", JOB), b"{}")
        yield bus


async def positions(bus: NatsBus) -> tuple[int, int]:
    """How far the records and the events are: nothing can be written to either without moving it."""
    return (await bus.stream_state(JOBS)).last_sequence, (await bus.stream_state(EVENTS)).last_sequence


async def request(client: Client, subject: str, body: object = None) -> dict[str, object]:
    answer = await client.request(subject, b"" if body is None else json.dumps(body).encode(), timeout=5)
    parsed: dict[str, object] = json.loads(answer.data)
    return parsed


ALLOWED = [
    f"{API}.CONSUMER.CREATE.EVENTS.mine",
    f"{API}.CONSUMER.CREATE.EVENTS.mine.trainer.train.>",
    f"{API}.CONSUMER.INFO.EVENTS.mine",
    f"{API}.CONSUMER.DELETE.EVENTS.mine",
    f"{API}.CONSUMER.MSG.NEXT.EVENTS.mine",
    "$JS.ACK.EVENTS.mine.1.2.3.4.5",
]
REFUSED = [
    "$KV.jobs.x",
    job_event_subject("completed", "p", JOB),
    progress_subject("p", JOB),
    "_INBOX_gateway.x",
    "$JS.API.STREAM.PURGE.EVENTS",
    "$JS.API.CONSUMER.CREATE.KV_jobs.mine",
    "$JS.ACK.KV_jobs.scheduler-events.1.2.3.4.5",
]


async def test_it_may_use_consumers_of_its_own_and_publish_nothing(server: DeployedNats) -> None:
    assert [subject for subject in ALLOWED if not await may_publish(server, "subscriber", subject)] == []
    assert [subject for subject in REFUSED if await may_publish(server, "subscriber", subject)] == []
    assert await may_subscribe(server, "subscriber", "trainer.>")


def consumers_of_services() -> set[str]:
    """Every consumer on EVENTS that a service names."""
    text = NATS_CONFIG.read_text(encoding="utf-8").partition("SUBSCRIBER_MAY")[0]
    return set(re.findall(r"CONSUMER\.\S+?\.EVENTS\.([\w-]+)", text))


async def test_the_consumers_of_the_services_are_out_of_reach(server: DeployedNats) -> None:
    names = consumers_of_services()
    assert names >= {"registrar", "notifier-log"}
    verbs = ("CREATE", "INFO", "DELETE", "MSG.NEXT")
    requests = [f"{API}.CONSUMER.{verb}.EVENTS.{name}" for verb in verbs for name in names]
    more = [f"{API}.CONSUMER.CREATE.EVENTS.{name}.trainer.>" for name in names]
    acks = [f"$JS.ACK.EVENTS.{name}.1.2.3.4.5" for name in names]
    tried = [*requests, *more, *acks]
    assert [subject for subject in tried if await may_publish(server, "subscriber", subject)] == []


@pytest.mark.parametrize("config", [{"durable_name": "registrar"}, {"name": "registrar"}])
async def test_a_name_in_the_body_gets_no_further(
    server: DeployedNats, gateway: NatsBus, config: dict[str, str]
) -> None:
    """The server answers an error, or goes by the name in the subject; the registrar's consumer stays as it is."""
    async with gateway.feed(EVENTS, durable=Durable(name="registrar")):
        pass
    async with a_subscriber(server) as client:
        body = {"stream_name": "EVENTS", "config": {**config, "ack_policy": "none", "deliver_policy": "new"}}
        answer = await request(client, f"{API}.CONSUMER.CREATE.EVENTS.mine", body)
        assert "error" in answer or answer["name"] == "mine"
        await request(client, f"{API}.CONSUMER.DELETE.EVENTS.mine")


@pytest.mark.parametrize("stream", ["KV_jobs", "KV_keys", "PROGRESS", "LOGS"])
async def test_there_are_no_consumers_on_anything_else(server: DeployedNats, stream: str) -> None:
    async with a_subscriber(server) as client:
        with pytest.raises(NoRespondersError):
            await request(client, f"{API}.CONSUMER.CREATE.{stream}.mine", {"stream_name": stream, "config": {}})


async def is_overwritten(bus: NatsBus) -> bool:
    message = await bus.last_message(JOBS, VICTIM)
    return message is not None and message.data != PRECIOUS


@pytest.mark.parametrize("reply", [VICTIM, job_event_subject("completed", "p", JOB), "$JS.API.STREAM.PURGE.EVENTS"])
async def test_what_is_answered_to_a_subscriber_is_written_over_nothing(
    server: DeployedNats, gateway: NatsBus, reply: str
) -> None:
    before = await positions(gateway)
    async with a_subscriber(server) as client:
        await request(client, f"{API}.CONSUMER.CREATE.EVENTS.mine", a_config("mine", ack_policy="explicit"))
        for asked in ("STREAM.INFO.EVENTS", "CONSUMER.INFO.EVENTS.mine", "CONSUMER.MSG.NEXT.EVENTS.mine"):
            await client.publish(f"{API}.{asked}", b"", reply=reply)
        # Requests of one client are worked on in order: when this one is answered, so are those before it.
        await request(client, f"{API}.CONSUMER.DELETE.EVENTS.mine")
    assert await positions(gateway) == before
    assert not await is_overwritten(gateway)


def a_config(name: str, **options: object) -> dict[str, object]:
    return {"stream_name": "EVENTS", "config": {"name": name, "deliver_policy": "all", "ack_policy": "none", **options}}


@pytest.mark.parametrize(
    "target", [VICTIM, "$JS.API.STREAM.DELETE.KV_jobs", "$JS.API.STREAM.PURGE.EVENTS", "$JS.API.CONSUMER.MSG.NEXT.x.y"]
)
async def test_a_consumer_that_pushes_reaches_neither_records_nor_requests(
    server: DeployedNats, gateway: NatsBus, target: str
) -> None:
    """The server delivers where somebody listens to just this subject, and nobody in headway's account can."""
    before = await positions(gateway)
    async with a_subscriber(server) as client:
        body = a_config("pusher", deliver_subject=target, idle_heartbeat=100_000_000)
        answer = await request(client, f"{API}.CONSUMER.CREATE.EVENTS.pusher", body)
        assert not answer.get("push_bound")
        await asyncio.sleep(0.5)  # Five heartbeats, if there were any.
        await request(client, f"{API}.CONSUMER.DELETE.EVENTS.pusher")
    assert await positions(gateway) == before
    assert not await is_overwritten(gateway)


async def test_a_consumer_that_pushes_cannot_tell_an_event(server: DeployedNats, gateway: NatsBus) -> None:
    """Even though it can listen to the subject, and so make the server deliver to it."""
    before = await positions(gateway)
    forged = job_event_subject("completed", "p", JOB)
    async with a_subscriber(server) as client:
        await client.subscribe(forged)
        answer = await request(
            client, f"{API}.CONSUMER.CREATE.EVENTS.pusher", a_config("pusher", deliver_subject=forged)
        )
    assert "forms a cycle" in json.dumps(answer["error"])
    assert await positions(gateway) == before


async def test_a_consumer_that_pushes_cannot_tell_progress(server: DeployedNats, gateway: NatsBus) -> None:
    """Even though progress is no subject of EVENTS, and it listens: nobody listens in the account of the records."""
    before = await positions(gateway)
    subject = progress_subject("p", "x")
    async with a_subscriber(server) as client:
        await client.subscribe(subject)
        await settle(client)
        body = a_config("pusher", deliver_subject=subject, idle_heartbeat=100_000_000)
        answer = await request(client, f"{API}.CONSUMER.CREATE.EVENTS.pusher", body)
        assert not answer.get("push_bound")
        await asyncio.sleep(0.5)  # Five heartbeats, if there were any.
        await request(client, f"{API}.CONSUMER.DELETE.EVENTS.pusher")
    assert not await has_progress(gateway)
    assert await positions(gateway) == before


async def has_progress(bus: NatsBus) -> bool:
    return (await bus.stream_state(PROGRESS)).last_sequence > 0


@pytest.mark.parametrize("make_command", [python_command, javascript_command])
async def test_the_examples_need_no_more(
    server: DeployedNats, tmp_path: Path, make_command: Callable[[Path], list[str]]
) -> None:
    record = a_claimed_record()
    async with connect(server.url("scheduler"), "scheduler") as scheduler:
        for event in life_of(record):
            await scheduler.publish(event.subject, event.body, message_id=event.message_id, headers=event.headers)
    command = await asyncio.to_thread(make_command, tmp_path)
    before = len(server.violations)
    environ = {
        "NATS_URL": server.url("subscriber"),
        "NATS_DOMAIN": "headway",
        "CONSUMER": f"test-{make_command.__name__}",
    }
    with subscribing(command, tmp_path, environ) as subscriber:
        jobs = record.job.name.rpartition("/")[2]
        await eventually(lambda: {line.job for line in subscriber.printed()} >= {jobs}, timeout_seconds=60)
        assert subscriber.stop() == 0
    assert server.violations[before:] == []
