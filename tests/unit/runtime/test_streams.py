"""The table of streams against a real nats-server."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from headway.contract.subjects import BUCKETS, EVENTS, HOSTS, JOBS, PROGRESS, STREAMS, Storage
from headway.runtime.jetstream import JetStreamError
from headway.runtime.nats_bus import BusOptions, NatsBus, connect
from headway.runtime.nats_server import NatsServer
from headway.runtime.streams import _create, stream_config


@pytest.fixture
async def bare_bus(nats_server: NatsServer) -> AsyncIterator[NatsBus]:
    async with connect(nats_server.url, "test", options=BusOptions()) as bus:
        yield bus


async def test_what_is_missing_is_created_and_named(bare_bus: NatsBus) -> None:
    created = await bare_bus.provision(BUCKETS, STREAMS)

    assert created == tuple(spec.stream_name for spec in (*BUCKETS, *STREAMS))
    assert await bare_bus.provision(BUCKETS, STREAMS) == ()


async def test_the_server_holds_what_the_table_says(nats_bus: NatsBus) -> None:
    info = await nats_bus._requests.stream_info(JOBS.stream_name)

    assert info is not None
    wanted = {
        "storage": "file",
        "max_msgs_per_subject": 1,
        "discard": "new",
        "deny_delete": True,
        "allow_msg_ttl": True,
        "max_msg_size": JOBS.max_value_bytes,
        "max_bytes": JOBS.max_bytes,
        "subject_delete_marker_ttl": 3600 * 10**9,
    }
    assert {name: info.config[name] for name in wanted} == wanted
    assert not info.config.get("allow_direct")  # Reads go to the leader: they see every acknowledged write.


async def test_a_changed_row_updates_the_stream_and_keeps_its_messages(nats_bus: NatsBus) -> None:
    await nats_bus.publish("trainer.train.queued.v1.p.j", b"one")
    changed = replace(EVENTS, max_age=timedelta(days=7), description="Other words.")

    assert await nats_bus.provision([], [changed]) == ()

    info = await nats_bus._requests.stream_info(EVENTS.name)
    assert info is not None
    assert (info.config["max_age"], info.config["description"]) == (7 * 86400 * 10**9, "Other words.")
    assert info.state.messages == 1


async def test_what_cannot_be_changed_is_left_as_it_is(nats_bus: NatsBus) -> None:
    # Changing the storage would mean deleting the stream; that is nothing a service does at start.
    await nats_bus.publish("trainer.train.progress.v1.p.j", b"one")

    await nats_bus.provision([], [replace(PROGRESS, storage=Storage.FILE, max_bytes=1024 * 1024)])

    info = await nats_bus._requests.stream_info(PROGRESS.name)
    assert info is not None
    assert (info.config["storage"], info.config["max_bytes"], info.state.messages) == ("memory", 1024 * 1024, 1)


async def test_services_that_start_together_provision_once(bare_bus: NatsBus, nats_server: NatsServer) -> None:
    async with connect(nats_server.url, "other", options=BusOptions()) as other:
        created = await asyncio.gather(
            bare_bus.provision(BUCKETS, STREAMS), other.provision(BUCKETS, STREAMS), bare_bus.provision([HOSTS], [])
        )
    assert {name for names in created for name in names} == {spec.stream_name for spec in (*BUCKETS, *STREAMS)}


async def test_another_version_of_a_row_may_be_faster(nats_bus: NatsBus) -> None:
    # Between the look and the create of one service, another service with other software has created the stream.
    other = stream_config(replace(EVENTS, max_age=timedelta(days=1)))

    assert await _create(nats_bus._requests, EVENTS.name, other) is False


async def test_a_row_that_the_server_refuses_is_told(bare_bus: NatsBus) -> None:
    await bare_bus.provision([], [EVENTS])
    with pytest.raises(JetStreamError, match="overlap"):
        await bare_bus.provision([], [replace(EVENTS, name="TWICE")])
