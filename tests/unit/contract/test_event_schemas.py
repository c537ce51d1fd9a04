"""JSON Schemas of events. That every event fits its schema is in tests/contract/test_events_contract.py."""

import jsonschema
import pytest
from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pool import Default

from headway.contract.cloud_events import Json
from headway.contract.event_catalogue import BY_TYPE
from headway.contract.event_schemas import data_schema, encoding_of, envelope_schema, field_schema


def the(name: str) -> Descriptor:
    return Default().FindMessageTypeByName(f"headway.v1.{name}")


@pytest.mark.parametrize(
    ("message", "field", "good", "bad"),
    [
        ("JobStartedEvent", "memory_mb", "16384", 16384),
        ("JobStartedEvent", "cpu_cores", 4, "4"),
        ("JobProgressEvent", "loss", "NaN", "unknown"),
        ("JobProgressEvent", "loss", 0.5, None),
        ("JobEvaluatedEvent", "metrics", {"accuracy": "NaN"}, {"accuracy": []}),
        ("JobLogEvent", "lines", [{"number": "1", "attempt": 1, "level": "", "message": "", "fields": {}}], [{}]),
    ],
)
def test_a_field_is_as_proto3_json_writes_it(message: str, field: str, good: Json, bad: Json) -> None:
    schema = jsonschema.Draft202012Validator(field_schema(the(message).fields_by_name[field], {}))
    assert schema.is_valid(good)
    assert not schema.is_valid(bad)


def test_low_numbers_are_always_there_and_unknown_fields_do_no_harm() -> None:
    schema = data_schema(the("JobMovedEvent"), {"headway.v1.JobMovedEvent": "It moved."})
    assert schema["description"] == "It moved."
    assert isinstance(schema["required"], list)
    assert "run_id" in schema["required"]
    assert "message" not in schema["required"]
    assert "additionalProperties" not in schema


def test_the_envelope_names_its_type() -> None:
    entry = BY_TYPE["trainer.host.lost.v1"]
    schema = envelope_schema(entry, {"$ref": "#/x"})
    assert isinstance(schema["properties"], dict)
    assert schema["properties"]["data"] == {"$ref": "#/x"}
    assert isinstance(schema["properties"]["type"], dict)
    assert schema["properties"]["type"]["const"] == "trainer.host.lost.v1"


def test_encodings_have_words() -> None:
    words = {field.name: encoding_of(field) for field in the("JobLogEvent").fields}
    assert (words["lines"], words["attempt"]) == ("array of object", "integer")
    assert encoding_of(the("JobEvaluatedEvent").fields_by_name["metrics"]) == "object of number by name"
    assert encoding_of(the("LogLine").fields_by_name["log_time"]) == "time"


def test_a_type_that_no_event_has_had_is_not_guessed() -> None:
    with pytest.raises(ValueError, match="say here how JSON writes it"):
        field_schema(the("Job").fields_by_name["state"], {})
