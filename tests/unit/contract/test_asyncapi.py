"""The document for tools. That it is valid AsyncAPI, and current, is in tests/contract/test_events_contract.py."""

import yaml

from headway.contract.asyncapi import document, key_of, render
from headway.contract.event_catalogue import BY_TYPE, CATALOGUE


def test_every_event_has_a_channel_an_operation_and_a_message() -> None:
    parsed = yaml.safe_load(render({}))
    keys = [key_of(entry) for entry in CATALOGUE]
    assert list(parsed["channels"]) == keys
    assert list(parsed["components"]["messages"]) == keys
    assert [operation["channel"]["$ref"] for operation in parsed["operations"].values()] == [
        f"#/channels/{key}" for key in keys
    ]


def test_the_text_is_the_document() -> None:
    assert yaml.safe_load(render({})) == document({})


def test_a_durable_event_has_its_id_as_a_header_and_a_lossy_one_has_none() -> None:
    messages = yaml.safe_load(render({}))["components"]["messages"]
    durable, lossy = BY_TYPE["trainer.train.queued.v1"], BY_TYPE["trainer.log.v1"]
    assert messages[key_of(durable)]["headers"]["required"] == ["Content-Type", "Nats-Msg-Id"]
    assert messages[key_of(lossy)]["headers"]["required"] == ["Content-Type"]
