"""What nats-server's health says about its disk, and where its disk is (F8, F9). The rest: test_nats_server.py."""

import pytest

from headway.contract.errors import StoreUnavailable
from headway.runtime.durability import Ailment, ailment_of, find_ailment, store_folder
from headway.runtime.nats_server import NatsServer
from headway.testing.ports import free_port

WRITE = b'{"status":"unavailable","error":"JetStream stream \'$G \\u003e EVENTS\' write error: write /s/1.blk: '


@pytest.mark.parametrize(
    ("health", "ailment"),
    [
        (WRITE + b'no space left on device"}', Ailment.NO_ROOM),
        (WRITE + b'disk quota exceeded"}', Ailment.NO_ROOM),
        (WRITE + b'input/output error"}', Ailment.FAILING_DISK),
        (b'{"status":"unavailable","error":"JetStream is not current"}', None),
        (b'{"status":"ok"}', None),
        (b"<html>", None),
        (b"", None),
    ],
    ids=["full", "quota", "fsync failed", "starting", "well", "something else", "nothing"],
)
def test_what_keeps_a_server_from_storing_is_read_from_its_health(health: bytes, ailment: Ailment | None) -> None:
    assert ailment_of(health) is ailment


async def test_a_server_that_is_well_or_away_has_no_ailment(nats_server: NatsServer) -> None:
    assert await find_ailment(nats_server.monitor_url) is None
    assert await find_ailment(f"http://127.0.0.1:{free_port()}") is None


async def test_the_folder_of_a_store_is_known_on_the_same_machine_only(nats_server: NatsServer) -> None:
    folder = await store_folder(nats_server.monitor_url)
    assert folder is not None
    assert folder.is_dir()
    assert await store_folder("http://nats.example:8222") is None
    with pytest.raises(StoreUnavailable):
        await store_folder(f"http://127.0.0.1:{free_port()}")
