"""F-5, P30: secrets and paths planted in every text that an event has, and looked for in all that every sink sends."""

import base64
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog
from google.protobuf.descriptor import FieldDescriptor

from headway.contract.subjects import HOST_EVENTS
from headway.runtime.redaction import Redactor
from headway.v1.events_pb2 import HostEvent
from notifier.happening import JOB_DATA, MODEL_DATA, EventData, Happening
from notifier.log_sink import LogSink
from notifier.messages import Message, clean_message
from notifier.rules import RULES, section_of
from notifier.webhook.body import body_of

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
REDACT = Redactor({"<home>": Path("/srv/headway"), "<data>": Path("/srv/data")}).clean

SECRETS = {
    "a key": "hw_abcdefgh2345_" + "k" * 32 + "_1a2b3c4",
    "a Discord token": "M" + "a" * 23 + "." + "b" * 6 + "." + "c" * 27,
    "a password in an address": "nats://ada:" + "hunter2secret" + "@db.internal:4222",
    "the secret of a webhook": "whsec_" + "d2ViaG9va3NlY3JldA+/" * 2,
    "a bearer": "Authorization: Bearer " + base64.b64encode(b"bearer-of-secrets").decode(),
    "an assignment": "password=" + "hunter2secret",
    "a path": "/" + "home/ada/corpus/private.txt",
    "a path of ours": "/srv/headway/keys/local.key",
    "a path in quotes": "open('/" + "home/ada/corpus/private.txt')",
}
TRACES = (
    *("k" * 32, "b" * 6 + "." + "c" * 27, "hunter2secret", base64.b64encode(b"bearer-of-secrets").decode()),
    *("ada/corpus", "/srv/headway", "d2ViaG9va3NlY3JldA"),
)
# Names of another shape never get so far: see test_decode.
CHECKED = {
    *((f"trainer.host.{event}", "host") for event in HOST_EVENTS),
    *((event, field) for event in JOB_DATA for field in ("project", "run_id")),
}
WAYS = ("{}", "a {} b", "line\n{}\nline", "\x1b[31m{}\x1b[0m", "x,{};y", '"{}"', "(" + "{})", "**{}**", "<@1> {} `x`")


DATA: dict[str, type[EventData]] = {
    **JOB_DATA,
    **MODEL_DATA,
    **{f"trainer.host.{event}": HostEvent for event in HOST_EVENTS},
}


def planted(event: str, text: str) -> EventData:
    """An event with the text in every field that holds one, names of figures included."""
    full = DATA[event]()
    for field in full.DESCRIPTOR.fields:
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            getattr(full, field.name)[text] = 0.5
        elif field.type == FieldDescriptor.TYPE_STRING and (event, field.name) not in CHECKED:
            setattr(full, field.name, text)
    return full


def messages(text: str) -> Iterator[Message]:
    """Every kind of event with the text in it, alone and folded into another one."""
    for event in RULES:
        happening = Happening(event=event, event_id="j:1", occur_time=NOW, data=planted(event, text))
        for earlier in ([], [happening, happening]):
            yield clean_message([section_of(happening, earlier, now=NOW)], REDACT)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("what", SECRETS)
def test_nothing_that_was_planted_leaves_by_any_sink(what: str, way: str) -> None:
    text = way.format(SECRETS[what])
    assert any(trace in text for trace in TRACES)
    sent = [*messages(text)]
    assert len(sent) == 2 * len(RULES)
    for message in sent:
        for said in (repr(message), message.line, body_of(message)):
            assert [trace for trace in TRACES if trace in said] == []


async def test_nothing_that_was_planted_stands_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    readable = io.StringIO()
    sink = LogSink(readable)
    with structlog.testing.capture_logs() as lines:
        for secret in SECRETS.values():
            for message in messages(f"a {secret} b"):
                await sink.send(message)
    assert [trace for trace in TRACES if trace in readable.getvalue() + repr(lines) + caplog.text] == []


def test_every_event_of_the_contract_has_words() -> None:
    assert set(RULES) == set(DATA)


def test_the_corpus_would_find_what_is_not_cleaned() -> None:
    """The test of the test: without the redaction every secret is found."""
    for secret in SECRETS.values():
        event = "trainer.train.failed"
        happening = Happening(event=event, event_id="j:1", occur_time=NOW, data=planted(event, secret))
        said = body_of(clean_message([section_of(happening, now=NOW)], str))
        assert any(trace in said for trace in TRACES)
