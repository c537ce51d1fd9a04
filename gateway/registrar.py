"""Makes sure that every succeeded job whose model is saved has its version: exactly one, and told about once."""

import asyncio
from contextlib import suppress
from functools import partial

from google.protobuf.message import DecodeError

from gateway.bucket_index import BucketIndex
from gateway.model_versions import find_listed, makes_version, version_key, version_of, with_listed
from gateway.upserts import upsert
from headway.contract.events import model_registered_event
from headway.contract.ids import ModelVersionName
from headway.contract.subjects import EVENTS, JOBS
from headway.runtime.bus import Bus
from headway.runtime.clock import Clock
from headway.runtime.feeds import Durable, Message, PoisonMessage, StreamReplaced, handle_each
from headway.runtime.records import RecordExists, Records
from headway.v1.models_pb2 import Model, ModelVersion
from headway.v1.records_pb2 import JobRecord, ModelRecord

DURABLE = Durable(name="registrar")
GATHER_SECONDS = 0.1
"""The commit has registered already when the feed tells of it: there is no hurry, and much to be spared."""
_MESSAGE_ID = "Nats-Msg-Id"


class Registrar:
    """Called by the commit before it answers, and by the jobs bucket itself for whatever a crash left undone."""

    def __init__(self, bus: Bus, models: Records[ModelRecord], index: BucketIndex[ModelRecord], clock: Clock) -> None:
        """Args: bus: for the feed and the events. models: the bucket. index: told of writes. clock: for times."""
        self._bus = bus
        self._models = models
        self._index = index
        self._clock = clock
        self._telling = asyncio.Lock()

    async def run(self) -> None:
        """Follow the jobs for ever. A loop of the service."""
        while True:
            with suppress(StreamReplaced):
                async with self._bus.feed(JOBS, durable=DURABLE, gather_seconds=GATHER_SECONDS) as feed:
                    await handle_each(feed, self._repair)

    async def register(self, record: JobRecord) -> ModelVersion | None:
        """Register the version that a job made. Idempotent: any number of calls, at once or after a crash, make one.

        Returns:
            The version with its number; None when the job saves no model or has not succeeded.

        Raises:
            StoreUnavailable: nothing is lost; the feed does it later.
        """
        if not makes_version(record):
            return None
        version = version_of(record)
        name = ModelVersionName.parse(version.name)
        # In full first: a list must never name what cannot be read.
        with suppress(RecordExists):
            await self._models.create(version_key(name), ModelRecord(model=Model(versions=[version])))
        decide = partial(with_listed, version=version, now=self._clock.now())
        model = await upsert(self._models, self._index, name.model.key, decide, ModelRecord())
        listed = find_listed(model, version.name)
        version.number = listed.number if listed is not None else 0
        await self._tell(version)
        return version

    async def _tell(self, version: ModelVersion) -> None:
        """Publish the event, unless the model's newest event says that it was: the server forgets ids in minutes."""
        event = model_registered_event(version)
        # One at a time: the commit and the feed register the same version at nearly the same moment, and the server
        # drops the second event from the stream only; a plain subscriber would hear both.
        async with self._telling:
            newest = await self._bus.last_message(EVENTS, event.subject)
            if newest is None or newest.headers.get(_MESSAGE_ID) != event.message_id:
                await self._bus.publish(event.subject, event.body, message_id=event.message_id, headers=event.headers)

    async def _repair(self, message: Message) -> None:
        if message.is_deleted:
            return
        try:
            record = JobRecord.FromString(message.data)
        except DecodeError as error:
            raise PoisonMessage("not a JobRecord") from error
        await self.register(record)
