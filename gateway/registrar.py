"""Makes sure that every succeeded job whose model is saved has its version: exactly one, and told about once."""

import asyncio
from contextlib import suppress
from functools import partial

from gateway.bucket_index import BucketIndex
from gateway.model_versions import find_listed, makes_version, version_key, version_of, with_listed
from gateway.upserts import upsert
from headway.contract.cloud_events import Clean
from headway.contract.events import job_id_of, model_registered_event
from headway.contract.ids import ModelVersionName
from headway.contract.subjects import EVENTS, every_job_event_subject
from headway.runtime.bus import Bus
from headway.runtime.clock import Clock
from headway.runtime.failpoints import failpoints_around
from headway.runtime.feeds import Durable, Message, PoisonMessage, StreamReplaced, handle_each
from headway.runtime.records import RecordExists, Records
from headway.v1.models_pb2 import Model, ModelVersion
from headway.v1.records_pb2 import JobRecord, ModelRecord

DURABLE = Durable(name="registrar")
_COMPLETED = every_job_event_subject("completed")
_MESSAGE_ID = "Nats-Msg-Id"


class Registrar:
    """Called by the commit before it answers, and for each completed job once more, if a crash left something undone.

    The completed jobs come from the stream of events, not from the bucket of jobs: every change of every job would cost
    as much as serving the call that made it, and the event of a completion is out exactly once, whatever crashes.
    """

    def __init__(
        self,
        bus: Bus,
        jobs: Records[JobRecord],
        models: Records[ModelRecord],
        index: BucketIndex[ModelRecord],
        clock: Clock,
        *,
        clean: Clean,
    ) -> None:
        """Take what registering needs.

        Args:
            bus: for feed and events.
            jobs: the bucket.
            models: the bucket.
            index: told of writes.
            clock: for times.
            clean: takes secrets and paths out of what an event says.
        """
        self._bus = bus
        self._jobs = jobs
        self._models = models
        self._index = index
        self._clock = clock
        self._clean = clean
        self._telling = asyncio.Lock()

    async def run(self) -> None:
        """Follow the completions for ever. A loop of the service."""
        while True:
            with suppress(StreamReplaced):
                async with self._bus.feed(EVENTS, subject=_COMPLETED, durable=DURABLE) as feed:
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
        with failpoints_around("register.create"), suppress(RecordExists):
            await self._models.create(version_key(name), ModelRecord(model=Model(versions=[version])))
        decide = partial(with_listed, version=version, now=self._clock.now())
        with failpoints_around("register.list"):
            model = await upsert(self._models, self._index, name.model.key, decide, ModelRecord())
        listed = find_listed(model, version.name)
        version.number = listed.number if listed is not None else 0
        await self._tell(version)
        return version

    async def _tell(self, version: ModelVersion) -> None:
        """Publish the event, unless the model's newest event says that it was: the server forgets ids in minutes."""
        event = model_registered_event(version, self._clean)
        # One at a time: the commit and the feed register the same version at nearly the same moment, and the server
        # drops the second event from the stream only; a plain subscriber would hear both.
        async with self._telling:
            newest = await self._bus.last_message(EVENTS, event.subject)
            if newest is None or newest.headers.get(_MESSAGE_ID) != event.message_id:
                with failpoints_around("register.tell"):
                    await self._bus.publish(
                        event.subject, event.body, message_id=event.message_id, headers=event.headers
                    )

    async def _repair(self, message: Message) -> None:
        job_id = job_id_of(message.headers.get(_MESSAGE_ID, ""))
        if not job_id:
            raise PoisonMessage("its message id names no job")
        stored = await self._jobs.find(job_id)
        if stored is not None:
            await self.register(stored.value)
