"""The tables of the page for people."""

import pytest

from headway.contract.event_catalogue import CATALOGUE
from headway.contract.event_tables import data_tables, events_table, fill_in, streams_table
from headway.contract.subjects import STREAMS


class Comments(dict[str, str]):
    """Says something of everything."""

    def __missing__(self, name: str) -> str:
        return f"About\n{name.rpartition('.')[2]}."


def test_a_marked_part_is_replaced_and_nothing_else() -> None:
    page = "before\n<!-- generated: streams -->\nold\n<!-- end of generated -->\nafter\n"
    assert fill_in(page, Comments()) == (
        f"before\n<!-- generated: streams -->\n\n{streams_table()}\n<!-- end of generated -->\nafter\n"
    )
    assert fill_in(fill_in(page, Comments()), Comments()) == fill_in(page, Comments())


def test_a_marker_that_names_no_table_is_a_mistake() -> None:
    with pytest.raises(KeyError, match="nonsense"):
        fill_in("<!-- generated: nonsense -->\n<!-- end of generated -->", Comments())


def test_every_event_and_every_stream_has_a_row() -> None:
    assert events_table().count("\n| `") == len(CATALOGUE)
    assert streams_table().count("\n| `") == len(STREAMS)


def test_what_nothing_publishes_yet_says_so() -> None:
    assert events_table().count("not published yet") == sum(not entry.is_published for entry in CATALOGUE)


def test_a_message_of_a_job_has_only_the_fields_that_are_its_own() -> None:
    tables = data_tables(Comments())
    moved = tables[tables.index("### JobMovedEvent") :].partition("\n### ")[0]
    assert "| `reason` | string | About reason. |" in moved
    assert "run_id" not in moved


def test_a_message_within_a_message_has_a_table_too() -> None:
    assert "### LogLine\n" in data_tables(Comments())
