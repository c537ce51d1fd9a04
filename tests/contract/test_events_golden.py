"""P25: messages of earlier versions can be read for ever, and what is published today says at least as much."""

import json
from collections.abc import Iterator

import jsonschema
import pytest
from google.protobuf.json_format import ParseDict

from gateway.progress_feed import read_progress_event
from headway.cli.listen.heard import read_event
from headway.contract.cloud_events import Json
from headway.contract.event_catalogue import BY_TYPE, CATALOGUE, PROGRESS_ENTRY
from headway.contract.event_schemas import data_schema, envelope_schema
from notifier.decode import decode
from tests.contract.golden_messages import FOLDER, GoldenMessage, messages_on_the_wire, read_golden
from tests.event_samples import JOB_ID, all_samples

GOLDEN = list(read_golden())
LIFE = [message for message in GOLDEN if BY_TYPE[message.event_type].is_durable]


def names(message: GoldenMessage) -> str:
    return message.file_name


def paths(value: Json, prefix: str = "") -> Iterator[str]:
    """Where every value stands; what is in a list stands in one place."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from paths(inner, f"{prefix}/{name}")
    elif isinstance(value, list):
        for inner in value:
            yield from paths(inner, f"{prefix}/*")
    else:
        yield prefix


def test_every_event_that_is_published_has_a_golden_message() -> None:
    published = {entry.event_type for entry in CATALOGUE if entry.is_published}
    assert {message.event_type for message in GOLDEN} == published
    assert len(GOLDEN) == len([path for path in FOLDER.iterdir() if path.suffix == ".json"])


@pytest.mark.parametrize("golden", LIFE, ids=names)
def test_the_notifier_reads_it(golden: GoldenMessage) -> None:
    happening = decode(golden.subject, golden.body.encode())
    assert happening.event_id == golden.headers["Nats-Msg-Id"]
    assert f"{happening.event}.v1" == golden.event_type


@pytest.mark.parametrize("golden", GOLDEN, ids=names)
def test_the_command_line_reads_it(golden: GoldenMessage) -> None:
    heard = read_event(golden.subject, golden.body.encode())
    assert heard.event_type == golden.event_type
    assert heard.event_id
    assert heard.data
    assert heard.line


@pytest.mark.parametrize("golden", GOLDEN, ids=names)
def test_todays_message_reads_every_field_of_it(golden: GoldenMessage) -> None:
    """Without ignoring unknown fields: one that was removed or given another type is an error."""
    entry = BY_TYPE[golden.event_type]
    body = json.loads(golden.body)
    ParseDict(body["data"], entry.data())
    jsonschema.Draft202012Validator(envelope_schema(entry, data_schema(entry.descriptor, {}))).validate(body)


def test_the_gateway_reads_progress() -> None:
    told = [message for message in GOLDEN if message.event_type == PROGRESS_ENTRY.event_type]
    assert [read_progress_event(message.body.encode()).run_id for message in told] == [JOB_ID] * len(told)


@pytest.mark.parametrize("golden", GOLDEN, ids=names)
def test_what_is_built_today_has_all_that_it_has(golden: GoldenMessage) -> None:
    today = [json.loads(event.body) for event in all_samples()]
    there = {path for body in today if body["type"] == golden.event_type for path in paths(body)}
    assert set(paths(json.loads(golden.body))) - there == set()


async def test_what_is_on_the_wire_today_has_the_same_subjects_and_headers() -> None:
    headers = {message.event_type: set(message.headers) for message in GOLDEN}
    for message in await messages_on_the_wire():
        if message.event_type in headers:
            assert headers[message.event_type] <= set(message.headers)
            assert len(message.subject.split(".")) == len(BY_TYPE[message.event_type].pattern.split("."))
