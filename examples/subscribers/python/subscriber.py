"""Prints every event in the life of a job once, as JSON lines, over restarts of nats-server and of this program.

Written from docs/events.md alone; needs Python 3.11 and `pip install nats-py`, and nothing of headway. Settings are in
the environment: NATS_URL, with user and password where the server has users; NATS_DOMAIN, `headway` where it has; and
CONSUMER.
"""

import asyncio
import json
import os
import signal
import sys
from collections import OrderedDict

import nats
from nats.aio.msg import Msg
from nats.errors import Error
from nats.js.api import AckPolicy, ConsumerConfig

SUBJECT = "trainer.train.>"
IDS_REMEMBERED = 100_000


class Seen:
    """Ids that were worked on. Work that must be done once keeps them where it keeps its results instead."""

    def __init__(self) -> None:
        self._ids: OrderedDict[str, None] = OrderedDict()

    def is_repeat(self, event_id: str) -> bool:
        """Whether the id was here before; remembers it."""
        if event_id in self._ids:
            return True
        self._ids[event_id] = None
        if len(self._ids) > IDS_REMEMBERED:
            self._ids.popitem(last=False)
        return False


def show(body: bytes, seen: Seen) -> None:
    """Print one line. What is unknown is ignored, because types and fields are added within v1."""
    event = json.loads(body)
    if seen.is_repeat(event["id"]):
        return
    data = event["data"]
    line = {"id": event["id"], "type": event["type"], "time": event["time"], "job": data["run_id"]}
    print(json.dumps(line | {"sequence": data["sequence"], "reason": data.get("reason", "")}), flush=True)


async def work(message: Msg, seen: Seen) -> None:
    """Show one event and acknowledge it; what is no event too, or it would come again for ever and hold up the rest."""
    try:
        show(message.data, seen)
    except (ValueError, KeyError, TypeError) as error:
        await complain(error)
    await message.ack()


async def follow(url: str, domain: str | None, name: str) -> None:
    """Pull one event after the other until Ctrl-C: the next one comes when the last one is acknowledged."""
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        # A flag and no cancellation: before Python 3.12 asyncio.wait_for, which nats-py waits with, may swallow that.
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    connection = await nats.connect(url, max_reconnect_attempts=-1, reconnect_time_wait=0.5, error_cb=complain)
    jetstream = connection.jetstream(domain=domain)
    config = ConsumerConfig(ack_policy=AckPolicy.EXPLICIT, ack_wait=5, max_ack_pending=1)
    consumer = await jetstream.pull_subscribe(SUBJECT, durable=name, stream="EVENTS", config=config)
    seen = Seen()
    while not stopping.is_set():
        try:
            for message in await consumer.fetch(1, timeout=2):
                await work(message, seen)
        except TimeoutError:
            continue  # Nothing happened for two seconds, or the server was restarted meanwhile.
        except Error as error:
            await complain(error)
            await asyncio.sleep(0.5)
    await connection.close()
    print("stopped", file=sys.stderr)


async def complain(error: Exception) -> None:
    """The connection comes back by itself."""
    print(f"{type(error).__name__}: {error}", file=sys.stderr)


if __name__ == "__main__":
    address = os.environ.get("NATS_URL", "nats://127.0.0.1:4222")
    asyncio.run(follow(address, os.environ.get("NATS_DOMAIN"), os.environ.get("CONSUMER", "example-python")))
