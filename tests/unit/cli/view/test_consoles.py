import pytest
from rich.table import Table

from headway.cli.view.consoles import print_table, say, visible


def test_a_text_from_elsewhere_cannot_steer_the_terminal() -> None:
    assert visible("a\x1b[31mb\x07\x9b2J") == "a\ufffd[31mb\ufffd\ufffd2J"
    assert visible("one\n\ttwo ü 漢") == "one\n\ttwo ü 漢"


def test_what_is_said_goes_to_stderr_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    say("[red]x[/] \x1b[0m")
    assert capsys.readouterr() == ("", "[red]x[/] \ufffd[0m\n")


def test_a_table_in_a_pipe_is_neither_cut_nor_padded(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for title in ("a", "b"):
        table.add_column(title)
    table.add_row("x" * 300, "y")
    table.add_row("x", "")
    print_table(table)
    header, long, short = capsys.readouterr().out.splitlines()
    assert (header, short) == (f"a{' ' * 301}b", "x")
    assert long == f"{'x' * 300}  y"
