"""Messages as they were on the wire, one file each, and the way to add one: `python -m tests.contract.golden_messages`.

It publishes today's samples to a real nats-server, hears them with a plain client, and writes down those of which the
folder has none. What is written is never written again.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import nats
from pydantic import TypeAdapter

from headway.contract.event_catalogue import BY_TYPE
from headway.contract.subjects import BUCKETS, STREAMS
from headway.runtime.nats_bus import connect
from headway.runtime.nats_settling import settle
from headway.testing.nats import running_nats
from tests.event_samples import all_samples

FOLDER = Path(__file__).parent / "golden"


@dataclass(frozen=True)
class GoldenMessage:
    """One message.

    Attributes:
        subject: it came on.
        headers: of NATS.
        body: exactly as it was.
        file_name: in the folder; not part of the message.
    """

    subject: str
    headers: dict[str, str]
    body: str
    file_name: str = field(default="", compare=False)

    @property
    def event_type(self) -> str:
        """What its subject says that it is."""
        tokens = self.subject.split(".")
        return ".".join(tokens[: tokens.index("v1") + 1])


_ADAPTER = TypeAdapter(GoldenMessage)


def read_golden() -> Iterator[GoldenMessage]:
    """Every message of the folder."""
    for path in sorted(FOLDER.glob("*.json")):
        message = _ADAPTER.validate_json(path.read_bytes())
        yield GoldenMessage(message.subject, message.headers, message.body, path.name)


async def messages_on_the_wire() -> list[GoldenMessage]:
    """Today's samples, as a plain client hears them."""
    heard: list[GoldenMessage] = []
    async with running_nats() as server, connect(server.url, "test") as bus:
        await bus.provision(BUCKETS, STREAMS)
        client = await nats.connect(server.url)
        subscription = await client.subscribe("trainer.>")
        await settle(client)
        for event in all_samples():
            await bus.publish(event.subject, event.body, message_id=event.message_id or None, headers=event.headers)
            message = await subscription.next_msg(timeout=10)
            headers = {str(name): value for name, value in (message.headers or {}).items()}
            heard.append(GoldenMessage(message.subject, headers, message.data.decode()))
        await client.close()
    return heard


def add_missing() -> list[str]:
    """Write down each sample that is unlike every message here; the names of the new files."""
    bodies = {message.body for message in read_golden()}
    added: list[str] = []
    for message in asyncio.run(messages_on_the_wire()):
        if message.body in bodies or not BY_TYPE[message.event_type].is_published:
            continue
        bodies.add(message.body)
        num_there = len(list(FOLDER.glob(f"{message.event_type}.*.json")))
        path = FOLDER / f"{message.event_type}.{num_there + 1}.json"
        path.write_bytes(_ADAPTER.dump_json(message, indent=2, exclude={"file_name"}) + b"\n")
        added.append(path.name)
    return added


if __name__ == "__main__":
    print("\n".join(add_missing()) or "nothing is missing")
