"""docs/events.md and docs/asyncapi.yaml are what the code does: both are compared with it, field by field."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
import yaml

from headway.contract.asyncapi import document, key_of
from headway.contract.cloud_events import Json, OutwardEvent
from headway.contract.event_catalogue import BY_TYPE, CATALOGUE, EventEntry
from headway.contract.event_schemas import data_schema, envelope_schema
from headway.testing.memory_stream import matches
from protos.event_pages import ASYNCAPI_PAGE, EVENTS_PAGE, pages, read_comments
from tests.contract.node import install
from tests.event_samples import all_samples

COMMENTS = read_comments()
ASYNCAPI_SPECS = {"@asyncapi/specs": "6.11.1"}
SAMPLES = all_samples()


@pytest.fixture(scope="module")
def asyncapi_schema(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Json]:
    """The schema of AsyncAPI 3.0 as its authors publish it."""
    folder = tmp_path_factory.mktemp("asyncapi")
    install(folder, ASYNCAPI_SPECS)
    path = folder / "node_modules" / "@asyncapi" / "specs" / "schemas" / "3.0.0.json"
    schema: dict[str, Json] = json.loads(path.read_bytes())
    return schema


def entry_of(event: OutwardEvent) -> EventEntry:
    return BY_TYPE[json.loads(event.body)["type"]]


def schema_of(entry: EventEntry) -> dict[str, Json]:
    return envelope_schema(entry, data_schema(entry.descriptor, COMMENTS))


@pytest.mark.parametrize("path", [EVENTS_PAGE, ASYNCAPI_PAGE], ids=lambda path: path.name)
def test_the_page_is_what_the_code_would_write(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == pages()[path], "run `make docs`"


def test_the_document_is_asyncapi(asyncapi_schema: dict[str, Json]) -> None:
    written = yaml.safe_load(ASYNCAPI_PAGE.read_text(encoding="utf-8"))
    faults = jsonschema.Draft7Validator(asyncapi_schema).iter_errors(written)
    assert [f"{'/'.join(map(str, fault.path))}: {fault.message}" for fault in faults] == []


def test_the_schema_of_asyncapi_finds_a_mistake(asyncapi_schema: dict[str, Json]) -> None:
    wrong = yaml.safe_load(ASYNCAPI_PAGE.read_text(encoding="utf-8"))
    wrong["channels"]["train_queued_v1"]["adress"] = "a misspelt key"
    assert list(jsonschema.Draft7Validator(asyncapi_schema).iter_errors(wrong)) != []


def test_every_reference_leads_somewhere() -> None:
    whole = document(COMMENTS)
    for reference in references(whole):
        place: Json = whole
        for step in reference.removeprefix("#/").split("/"):
            assert isinstance(place, dict)
            assert step in place, reference
            place = place[step]


def references(value: Json) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "$ref" and isinstance(inner, str):
                yield inner
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


@pytest.mark.parametrize("event", SAMPLES, ids=lambda event: event.message_id or event.subject)
def test_every_event_that_is_built_is_as_its_schema_says(event: OutwardEvent) -> None:
    entry = entry_of(event)
    jsonschema.Draft202012Validator(schema_of(entry)).validate(json.loads(event.body))
    assert matches(entry.pattern, event.subject)
    assert any(matches(pattern, event.subject) for pattern in entry.stream.subjects)
    assert bool(event.message_id) == entry.is_durable


def test_there_is_a_sample_of_every_type() -> None:
    assert {entry_of(event).event_type for event in SAMPLES} == {entry.event_type for entry in CATALOGUE}


@pytest.mark.parametrize("event", SAMPLES, ids=lambda event: event.message_id or event.subject)
def test_an_event_says_every_field_and_no_other(event: OutwardEvent) -> None:
    described = {field.name for field in entry_of(event).descriptor.fields}
    assert set(json.loads(event.body)["data"]) == described


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.event_type)
def test_people_and_tools_are_told_of_every_event_and_field(entry: EventEntry) -> None:
    """Beside the comparison of whole pages: a table that lost its rows would still equal what is rendered."""
    page = EVENTS_PAGE.read_text(encoding="utf-8")
    tools = yaml.safe_load(ASYNCAPI_PAGE.read_text(encoding="utf-8"))
    assert f"| `{entry.event_type}` |" in page
    assert f"\n### {entry.descriptor.name}\n" in page
    assert tools["channels"][key_of(entry)]["address"] == entry.subject
    schema = tools["components"]["schemas"][entry.descriptor.name]
    for field in entry.descriptor.fields:
        assert re.search(rf"\n\| `{field.name}` \| .+ \| .+ \|\n", page), field.full_name
        assert schema["properties"][field.name]["description"], field.full_name


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.event_type)
def test_the_proto_names_the_subject_of_its_event(entry: EventEntry) -> None:
    comment = COMMENTS[entry.descriptor.full_name]
    subject = entry.subject.replace("{", "<").replace("}", ">")
    subject = re.sub(r"host\.\w+\.", "host.<joined|drained|lost>.", subject)
    assert f"Subject: `{subject}`." in comment


def test_every_link_of_the_page_leads_somewhere() -> None:
    page = EVENTS_PAGE.read_text(encoding="utf-8")
    headings = {anchor(title) for title in re.findall(r"^#+ (.+)$", page, re.MULTILINE)}
    for target in re.findall(r"\]\(([^)]+)\)", page):
        if target.startswith("#"):
            assert target[1:] in headings, target
        elif not target.startswith("https://"):
            assert (EVENTS_PAGE.parent / target).resolve().exists(), target


def anchor(title: str) -> str:
    return re.sub(r"[^a-z0-9 _-]", "", title.lower()).replace(" ", "-")
