"""After `settle`, whoever subscribed hears what is published from then on."""

import nats

from headway.runtime.nats_server import NatsServer
from headway.runtime.nats_settling import settle

NUM_TRIES = 400


async def test_what_is_published_after_settling_is_heard(nats_server: NatsServer) -> None:
    # With one flush, about one in a hundred is not.
    speaker, listener = await nats.connect(nats_server.url), await nats.connect(nats_server.url)
    deaf = []
    for number in range(NUM_TRIES):
        heard = await listener.subscribe(f"told.{number}")
        await settle(listener)
        await speaker.publish(f"told.{number}", b"")
        await settle(speaker)
        await settle(listener)
        if not heard.pending_msgs:
            deaf.append(number)
        await heard.unsubscribe()
    await listener.close()
    await speaker.close()
    assert deaf == []
