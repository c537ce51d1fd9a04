"""Figures side by side, and the page they are written to."""

import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
_BEGIN = "<!-- figures: begin -->\n"
_END = "<!-- figures: end -->\n"


@dataclass(frozen=True, slots=True)
class Row:
    """One figure.

    Attributes:
        title: what was measured.
        ours: headway's figure with its unit.
        other: what it was measured beside, with its figure; empty when nothing.
        ratio: ours to the other, in words; empty when there is none.
        bar: what the figure should reach.
        is_met: whether it did; None when there is no bar.
    """

    title: str
    ours: str
    other: str = ""
    ratio: str = ""
    bar: str = ""
    is_met: bool | None = None

    def line(self) -> str:
        """The row in Markdown."""
        met = {True: "yes", False: "**no**", None: ""}[self.is_met]
        return f"| {self.title} | {self.ours} | {self.other} | {self.ratio} | {self.bar} | {met} |\n"


def render(rows: Sequence[Row]) -> str:
    """The table with the machine, commit and date that it holds for."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout.strip()
    now = datetime.now(UTC).date().isoformat()
    head = (
        f"Measured on {now} at commit {commit}: {os.cpu_count()} cores, Python {platform.python_version()}, Linux.\n\n"
    )
    table = "| what | headway | beside it | ratio | bar | met |\n|---|---|---|---|---|---|\n"
    return head + table + "".join(row.line() for row in rows)


def write(page: Path, text: str) -> None:
    """Put the figures between the page's two marks."""
    before, _, rest = page.read_text(encoding="utf-8").partition(_BEGIN)
    _, _, after = rest.partition(_END)
    page.write_text(before + _BEGIN + text + _END + after, encoding="utf-8")
