"""What a user of NATS cannot write by way of the server (F47); what it can itself is in test_nats_permissions.py.

nats-server writes the answer to a request of JetStream to the subject that the request names, without asking whether
the user may write there. So the records are in an account that has no user: an answer goes back to the account that
asked. And a consumer may name a subject to deliver to; the server delivers where a client listens, and nobody can
listen in the account of the records.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import nats
import pytest
from nats.aio.client import Client

from headway.contract.subjects import (
    BUCKETS,
    EVENTS,
    STREAMS,
    host_event_subject,
    job_event_subject,
    model_event_subject,
    progress_subject,
)
from headway.runtime.nats_bus import NatsBus, connect
from headway.runtime.nats_settling import settle
from tests.contract.deployment import NATS_CONFIG, DeployedNats, deployed_nats

SERVICES = ("gateway", "scheduler", "notifier")
JOB = "j" + "a" * 25
FILED = (*BUCKETS, EVENTS)
"""What the server keeps on its disk; the other streams are lossy, and their readers must bear anything."""

TARGETS = [
    *(f"$KV.{bucket.name}.victim" for bucket in BUCKETS),
    job_event_subject("completed", "p", JOB),
    host_event_subject("lost", "h"),
    model_event_subject("promoted", "p", "m"),
    *(f"{api}.STREAM.{verb}.EVENTS" for api in ("$JS.API", "$JS.headway.API") for verb in ("PURGE", "DELETE")),
]
PROGRESS_FEED = ("PROGRESS", "feed-0")
JOBS_FEED = ("KV_jobs", "feed-0")
ASKED = {
    "gateway": ["STREAM.INFO.KV_jobs", "STREAM.MSG.GET.KV_jobs", "STREAM.CREATE.EVENTS"],
    "scheduler": ["STREAM.INFO.KV_jobs", "STREAM.MSG.GET.KV_jobs", "CONSUMER.INFO.KV_jobs.feed-0"],
    "notifier": ["STREAM.INFO.EVENTS", "STREAM.MSG.GET.KV_notifier", "CONSUMER.INFO.PROGRESS.feed-0"],
}
MAY_FOLLOW = {"gateway": [JOBS_FEED, PROGRESS_FEED], "scheduler": [JOBS_FEED], "notifier": [PROGRESS_FEED]}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployedNats]:
    with deployed_nats(tmp_path_factory.mktemp("nats")) as running:
        asyncio.run(_provision(running))
        yield running


async def _provision(server: DeployedNats) -> None:
    async with connect(server.url("gateway"), "gateway") as bus:
        await bus.provision(BUCKETS, STREAMS)
        await bus.publish("$KV.jobs.precious", b"precious")
        await bus.publish(progress_subject("p", JOB), b"half")


@pytest.fixture
async def gateway(server: DeployedNats) -> AsyncIterator[NatsBus]:
    """A look at everything."""
    async with connect(server.url("gateway"), "gateway") as bus:
        yield bus


@asynccontextmanager
async def logged_in(server: DeployedNats, name: str) -> AsyncIterator[Client]:
    client = await nats.connect(server.url(name), inbox_prefix="_INBOX" if name == "subscriber" else f"_INBOX_{name}")
    try:
        yield client
    finally:
        await client.close()


async def positions(bus: NatsBus) -> list[int]:
    """How far everything is that is filed: nothing can be written without moving it."""
    return [(await bus.stream_state(spec)).last_sequence for spec in FILED]


@pytest.mark.parametrize("name", SERVICES)
async def test_an_answer_is_written_over_nothing(server: DeployedNats, gateway: NatsBus, name: str) -> None:
    """Neither a record nor an event, and no answer becomes a request."""
    before = await positions(gateway)
    async with logged_in(server, name) as client:
        for target in TARGETS:
            for asked in ASKED[name]:
                await client.publish(f"$JS.API.{asked}", b"", reply=target)
        # Requests of one client are worked on in order: when this one is answered, so are those before it.
        await client.request(f"$JS.API.{ASKED[name][0]}", b"", timeout=5)
    assert await positions(gateway) == before


@pytest.mark.parametrize("name", SERVICES)
async def test_an_acknowledgement_is_written_over_nothing(server: DeployedNats, gateway: NatsBus, name: str) -> None:
    """Of a message that the user may publish: its own account hears where it was stored, and no stream."""
    own = {"gateway": progress_subject("p", "x"), "scheduler": "$KV.hosts.x", "notifier": "$KV.notifier.x"}[name]
    async with logged_in(server, name) as client:
        await client.request(own, b"once", timeout=5)
        before = await positions(gateway)
        for target in TARGETS:
            await client.publish(own, b"again", headers={"Nats-Expected-Last-Subject-Sequence": "999"}, reply=target)
        refused = await client.request(own, b"last", headers={"Nats-Expected-Last-Subject-Sequence": "999"}, timeout=5)
        assert b"wrong last sequence" in refused.data
    assert await positions(gateway) == before


@pytest.mark.parametrize("name", SERVICES)
async def test_a_consumer_that_pushes_writes_nothing(server: DeployedNats, gateway: NatsBus, name: str) -> None:
    before = await positions(gateway)
    async with logged_in(server, name) as client:
        for stream, consumer in MAY_FOLLOW[name]:
            for target in TARGETS:
                await _push(client, stream, consumer, target)
    assert await positions(gateway) == before


async def _push(client: Client, stream: str, consumer: str, target: str) -> None:
    config = {"name": consumer, "deliver_subject": target, "ack_policy": "none", "idle_heartbeat": 100_000_000}
    body = json.dumps({"stream_name": stream, "config": config}).encode()
    await client.request(f"$JS.API.CONSUMER.CREATE.{stream}.{consumer}", body, timeout=5)
    await asyncio.sleep(0.15)  # A heartbeat, if there were any.
    await client.request(f"$JS.API.CONSUMER.DELETE.{stream}.{consumer}", b"", timeout=5)


async def test_a_subscriber_that_listens_does_not_help(server: DeployedNats, gateway: NatsBus) -> None:
    """The server delivers where somebody listens to just this subject, but not across accounts."""
    before = await positions(gateway)
    forged = job_event_subject("completed", "p", JOB)
    async with logged_in(server, "notifier") as client, logged_in(server, "subscriber") as accomplice:
        for pattern in (forged, "trainer.>"):
            await accomplice.subscribe(pattern)
        await settle(accomplice)
        await _push(client, *PROGRESS_FEED, forged)
    assert await positions(gateway) == before


async def test_with_a_user_beside_the_records_an_answer_is_written_over_one(tmp_path: Path) -> None:
    """Why they have an account to themselves: the tests above see the difference."""
    config = tmp_path / "shared.conf"
    config.write_text(_with_the_notifier_beside_the_records(NATS_CONFIG.read_text(encoding="utf-8")))
    with deployed_nats(tmp_path, config) as server:
        await _provision(server)
        async with connect(server.url("gateway"), "gateway") as bus, logged_in(server, "notifier") as client:
            before = await positions(bus)
            await client.publish("$JS.API.STREAM.INFO.EVENTS", b"", reply="$KV.jobs.precious")
            await client.request("$JS.API.STREAM.INFO.EVENTS", b"", timeout=5)
            assert (await positions(bus))[0] == before[0] + 1


def _with_the_notifier_beside_the_records(text: str) -> str:
    text = text.replace("    users: [ { user: notifier", "    users: [ { user: nobody")
    beside = "users: [ { user: notifier, password: $NATS_NOTIFIER_PASSWORD } ]"
    return text.replace("    jetstream: enabled\n", f"    jetstream: enabled\n    {beside}\n")


def test_the_account_of_the_records_has_no_user() -> None:
    text = NATS_CONFIG.read_text(encoding="utf-8")
    accounts = re.findall(r"^  ([A-Z]+) \{\n(.*?)^  \}", text, re.MULTILINE | re.DOTALL)
    owners = {name for name, body in accounts if "jetstream: enabled" in body}
    inhabited = {name for name, body in accounts if "users:" in body}
    assert (owners, inhabited) == ({"HEADWAY"}, {"GATEWAY", "SCHEDULER", "NOTIFIER", "SUBSCRIBERS"})
