import json

import pytest

from headway.cli.view.output import Column, Output, View, show_item, show_items
from headway.v1.datasets_pb2 import Dataset

VIEW: View[Dataset] = View(
    columns=(Column("dataset", lambda one: one.name), Column("size", lambda one: str(one.size_bytes), is_number=True)),
    name=lambda one: one.name,
)
ITEMS = [Dataset(name="a", size_bytes=5), Dataset(name="b[0]", size_bytes=123456)]


def printed(output: Output, capsys: pytest.CaptureFixture[str], items: list[Dataset] | None = None) -> tuple[str, str]:
    show_items(ITEMS if items is None else items, VIEW, output)
    captured = capsys.readouterr()
    return captured.out, captured.err


def test_a_table_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(Output.TABLE, capsys)[0] == "dataset    size\na             5\nb[0]     123456\n"


def test_json_is_one_document_with_the_protos_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads(printed(Output.JSON, capsys)[0])[1] == {"name": "b[0]", "size_bytes": "123456"}


def test_json_lines_are_one_document_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert [json.loads(line)["name"] for line in printed(Output.JSONL, capsys)[0].splitlines()] == ["a", "b[0]"]


def test_names_are_one_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(Output.NAME, capsys)[0] == "a\nb[0]\n"


def test_nothing_found_is_said_to_people_and_is_an_empty_list_to_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(Output.TABLE, capsys, []) == ("", "nothing found\n")
    assert printed(Output.JSON, capsys, []) == ("[]\n", "")
    assert printed(Output.NAME, capsys, []) == ("", "")


def test_the_empty_parts_of_one_thing_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    show_item(ITEMS[0], "a", [("dataset", "a"), ("rows", "")], Output.TABLE)
    assert capsys.readouterr().out == "dataset  a\n"
