"""The four forms that data comes out in: a table, JSON, JSON lines, names."""

import json
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Generic, TypeVar

import typer
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from rich.table import Table
from rich.text import Text

from headway.cli.view.consoles import print_table, say, visible

M = TypeVar("M", bound=Message)


class Output(StrEnum):
    """What `-o` takes."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    NAME = "name"


OutputOption = Annotated[
    Output, typer.Option("-o", "--output", help="table for people; json, jsonl or name for programs.")
]


@dataclass(frozen=True, slots=True)
class Column(Generic[M]):
    """One column of a table.

    Attributes:
        title: its heading.
        text: the cell of an item.
        style: a rich style for a cell's text; None for plain.
        is_number: whether it is aligned on the right.
    """

    title: str
    text: Callable[[M], str]
    style: Callable[[str], str] | None = None
    is_number: bool = False


@dataclass(frozen=True, slots=True)
class View(Generic[M]):
    """How messages of one type are shown.

    Attributes:
        columns: of the table.
        name: the resource name.
    """

    columns: Sequence[Column[M]]
    name: Callable[[M], str]


def show_items(items: Sequence[M], view: View[M], output: Output, *, empty: str = "nothing found") -> None:
    """Print a list; an empty table says so on stderr."""
    if output == Output.TABLE:
        if items:
            print_table(as_table(items, view))
        else:
            say(empty, "dim")
    elif output == Output.JSON:
        print_raw(json.dumps([as_dict(item) for item in items], indent=2))
    elif output == Output.JSONL:
        for item in items:
            print_raw(json.dumps(as_dict(item)))
    else:
        for item in items:
            print_raw(view.name(item))


def show_item(
    item: M, name: str, rows: Iterable[tuple[str, str]], output: Output, tables: Iterable[Table] = ()
) -> None:
    """Print one thing; as a table it is a list of its parts, without those that are empty, and further tables below."""
    if output == Output.TABLE:
        print_table(pairs_table(rows))
        for table in tables:
            print_raw("")
            print_table(table)
    elif output == Output.NAME:
        print_raw(name)
    else:
        print_raw(json.dumps(as_dict(item), indent=2 if output == Output.JSON else None))


def as_table(items: Sequence[M], view: View[M]) -> Table:
    """The items as a table without lines."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    for column in view.columns:
        table.add_column(column.title, justify="right" if column.is_number else "left", no_wrap=True)
    for item in items:
        cells = ((column, column.text(item)) for column in view.columns)
        table.add_row(*(Text(visible(text), column.style(text) if column.style else "") for column, text in cells))
    return table


def pairs_table(rows: Iterable[tuple[str, str]]) -> Table:
    """Names and values below each other; rows without a value are left out."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for title, value in rows:
        if value:
            table.add_row(title, Text(visible(value)))
    return table


def plain_table(titles: Sequence[str], rows: Iterable[Sequence[str]], *, left: Container[int] = (0,)) -> Table:
    """Rows of texts below their titles; columns whose places are in `left` begin on the left, the others end right."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    for place, title in enumerate(titles):
        table.add_column(Text(visible(title)), justify="left" if place in left else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(visible(text)) for text in row))
    return table


def as_dict(item: Message) -> dict[str, object]:
    """A message as proto3 JSON with the field names as the protos have them."""
    return dict(MessageToDict(item, preserving_proto_field_name=True))


def print_raw(line: str) -> None:
    """One line of data on stdout, exactly as it is."""
    typer.echo(line)
