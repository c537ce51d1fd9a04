"""Reads one message of the stream into a happening, or says why nobody ever can. Pure."""

from datetime import UTC
from typing import Literal, TypeVar

from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import Message
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from headway.contract.errors import InvalidName
from headway.contract.ids import HostName, JobName, ModelVersionName
from headway.contract.subjects import (
    MAX_EVENT_BYTES,
    host_event_subject,
    job_event_subject,
    model_event_subject,
)
from headway.v1 import events_pb2 as events
from notifier.happening import JOB_DATA, MODEL_DATA, Happening

M = TypeVar("M", bound=Message)

_HOST_EVENTS = ("trainer.host.joined", "trainer.host.lost", "trainer.host.drained")
_VERSION = "v1"


class Poison(Exception):
    """No version of this program will ever be able to use the message.

    Attributes:
        reason: UPPER_SNAKE_CASE word; stays the same.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason


class _Envelope(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)
    specversion: Literal["1.0"]
    id: str = Field(min_length=1, max_length=256)
    type: str = Field(min_length=1, max_length=128)
    time: AwareDatetime
    data: dict[str, object]


def decode(subject: str, body: bytes) -> Happening:
    """Read one event.

    Args:
        subject: where it was published; must fit what the body says, or anybody with one subject could speak for all.
        body: a CloudEvent in structured JSON.

    Raises:
        Poison: it is not an event of this version, or is incomplete.
    """
    if len(body) > MAX_EVENT_BYTES:
        raise Poison("TOO_LARGE", f"{len(body)} bytes, over {MAX_EVENT_BYTES}")
    try:
        envelope = _Envelope.model_validate_json(body)
    except ValidationError as error:
        raise Poison("NO_CLOUD_EVENT", _first_fault(error)) from error
    event, _, version = envelope.type.rpartition(".")
    if version != _VERSION:
        raise Poison("UNKNOWN_VERSION", f"the type {envelope.type!r} does not end in .{_VERSION}")
    try:
        happening, expected = _read(event, envelope)
    except (InvalidName, ValueError) as error:
        raise Poison("NO_ID", str(error)) from error
    if subject != expected:
        raise Poison("WRONG_SUBJECT", f"published on {subject!r}, but is about {expected!r}")
    return happening


def _read(event: str, envelope: _Envelope) -> tuple[Happening, str]:
    if event in JOB_DATA:
        return _read_job(event, envelope)
    if event in MODEL_DATA:
        return _read_model(event, envelope)
    if event in _HOST_EVENTS:
        return _read_host(event, envelope)
    raise Poison("UNKNOWN_EVENT", f"the type {envelope.type!r} is not known")


def _read_job(event: str, envelope: _Envelope) -> tuple[Happening, str]:
    data = _parse(envelope.data, JOB_DATA[event]())
    name = JobName.parse(JobName(data.project, data.run_id).name, field="data.run_id")
    if data.sequence < 1:
        raise Poison("NO_SEQUENCE", "data.sequence must be the number of a transition, from 1")
    happening = Happening(
        event=event,
        event_id=envelope.id,
        occur_time=envelope.time.astimezone(UTC),
        data=data,
        project=name.project,
        job_id=name.job_id,
        transition_number=data.sequence,
    )
    return happening, job_event_subject(_last_word(event), name.project, name.job_id)


def _read_model(event: str, envelope: _Envelope) -> tuple[Happening, str]:
    data = _parse(envelope.data, MODEL_DATA[event]())
    name = ModelVersionName.parse(data.model_version, field="data.model_version")
    happening = Happening(
        event=event,
        event_id=envelope.id,
        occur_time=envelope.time.astimezone(UTC),
        data=data,
        project=name.project,
        job_id=data.run_id,
    )
    return happening, model_event_subject(_last_word(event), name.project, name.model_id)


def _read_host(event: str, envelope: _Envelope) -> tuple[Happening, str]:
    data = _parse(envelope.data, events.HostEvent())
    host = HostName.parse(HostName(data.host).name, field="data.host").host_id
    happening = Happening(event=event, event_id=envelope.id, occur_time=envelope.time.astimezone(UTC), data=data)
    return happening, host_event_subject(_last_word(event), host)


def _parse(fields: dict[str, object], message: M) -> M:
    try:
        # Fields are added within v1: a newer sender is no fault.
        return ParseDict(fields, message, ignore_unknown_fields=True)
    except ParseError as error:
        raise Poison("WRONG_DATA", str(error)[:200]) from error


def _last_word(event: str) -> str:
    return event.rpartition(".")[2]


def _first_fault(error: ValidationError) -> str:
    fault = error.errors(include_input=False, include_url=False)[0]
    place = ".".join(str(part) for part in fault["loc"])
    return f"{place}: {fault['msg']}" if place else fault["msg"]
