"""The words of docs/glossary.md are the words of the protos."""

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase

from google.protobuf.descriptor import FileDescriptor

from tests.contract.proto_files import compile_sources, enums, headway_protos, messages, methods
from tests.tidy.repository import ROOT

# Words of the last column that a proto may use all the same: the names (as in fnmatch) where it may, and why.
ALLOWED = {
    "batch": ("*.batch_size", "what everybody calls it; the comment says which batch"),
    "config": ("*ExecutionConfig* *.config", "GetExecutionConfig and its kin are named by the outward documents"),
    "etag": ("*.etag", "AIP-154: the version of a resource, not the identity of bytes"),
    "execution": (
        "*Execution* EXECUTION_MODE_* *.execution_mode",
        "ExecutionMode and ExecutionConfig are named by the outward documents",
    ),
    "file": ("*.file_name FileOrigin", "the name that a caller's file had, on the caller's machine"),
    "queue": ("JobStartedEvent.queue", "a field of the started event, fixed by the outward documents"),
    "request": ("*Request *Request.* *.request_*", "gRPC's and AIP-155's word, not another one for a job"),
    "retry": ("Policies.retry_max", "a policy's field, fixed by the outward documents"),
    "save": ("TabularTrainSpec.save_model", "a field of the spec, fixed by the outward documents"),
    "stale": ("REASON_STALE", "of the writes of a lost attempt: STALE_ATTEMPT"),
    "stop": (
        "SynchronizeResponse.stop AttemptStop*",
        "what an attempt is told, whatever the reason: pause, cancel, preempt",
    ),
    "task": ("TABULAR_TASK_* *.task", "what a model learns to do: classification or regression"),
    "type": ("*.gpu_type *.media_type", "whole words of their own; a bare type is a kind"),
    "version": ("*Version* *version*", "of models, datasets and libraries; never the fence"),
}


def test_protos_use_no_word_that_the_glossary_refuses() -> None:
    refused = words_to_refuse(_glossary())
    found = [(name, word) for name, word in find_refused(headway_protos(), refused) if not is_allowed(name, word)]
    assert found == []


def test_every_allowance_is_still_needed() -> None:
    refused = words_to_refuse(_glossary())
    used = {word for name, word in find_refused(headway_protos(), refused) if is_allowed(name, word)}
    assert used == set(ALLOWED)


def test_the_glossary_is_complete_enough_to_mean_something() -> None:
    refused = words_to_refuse(_glossary())
    assert {"task", "experiment", "node", "agent", "plugin", "keepalive", "zombie", "canceled"} <= refused


def test_a_word_that_means_something_else_is_not_refused() -> None:
    table = "| **event** | A fact. | message |\n| **message** | A sentence. | description, event, old word |\n"
    assert words_to_refuse(table) == {"description"}


def test_a_refused_word_is_found_wherever_it_hides() -> None:
    source = """
        service S { rpc StartTask(TaskList) returns (TaskList); }
        message TaskList { repeated string first_tasks = 1; }
        enum E { E_UNSPECIFIED = 0; E_TASK = 1; }
        message Multitask { string taskbar = 1; }
        """
    assert sorted(find_refused(compile_sources({"bad": source}), {"task"})) == [
        ("E_TASK", "task"),
        ("StartTask", "task"),
        ("TaskList", "task"),
        ("TaskList.first_tasks", "task"),
    ]


def test_an_allowance_is_for_the_names_it_gives() -> None:
    assert is_allowed("TabularTrainSpec.task", "task")
    assert not is_allowed("CreateTask", "task")
    assert not is_allowed("Job.type", "type")
    assert not is_allowed("TabularTrainSpec.task", "node")


def words_to_refuse(glossary: str) -> set[str]:
    """Single words of the last column that are not words of the first."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in glossary.splitlines() if "| **" in line[:4]
    ]
    said = {word for row in rows for word in re.findall(r"[a-z-]+", row[0])}
    refused = {word for row in rows for word in row[2].split(", ") if re.fullmatch(r"[a-z]+", word)}
    return refused - said


def find_refused(files: list[FileDescriptor], refused: set[str]) -> Iterator[tuple[str, str]]:
    """Each name that contains a refused word, or its plural, with the word."""
    for name in _names(files):
        last = name.rpartition(".")[2]
        parts = {part.lower() for part in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z0-9]+", last)}
        yield from ((name, word) for word in sorted(refused) if parts & {word, word + "s"})


def is_allowed(name: str, word: str) -> bool:
    patterns, _ = ALLOWED.get(word, ("", ""))
    return any(fnmatchcase(name, pattern) for pattern in patterns.split())


def _names(files: list[FileDescriptor]) -> Iterator[str]:
    yield from (method.name for method in methods(files))
    yield from (value.name for enum in enums(files) for value in enum.values)
    for message in messages(files):
        yield message.name
        yield from (f"{message.name}.{field.name}" for field in message.fields)


def _glossary() -> str:
    return (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8").partition("## Words")[0]
