"""Finds the tests that say which fault or promise they hold, by reading their files; nothing is imported or run."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.fault.matrix import NOTIFIER_ROWS, PROMISES, ROWS

FOLLOWED = (ROWS.keys() - NOTIFIER_ROWS) | PROMISES.keys()
"""The ids that the report has a line for."""

_SPAN = re.compile(r"\b([FP])(\d{1,2})\s*(?:-|–|to)\s*\1?(\d{1,2})\b")  # noqa: RUF001 - people write the dash, too
_ID = re.compile(r"\b([FP]\d{1,2})\b")


@dataclass(frozen=True, slots=True)
class HeldTest:
    """A test function.

    Attributes:
        path: of its file, from the project's root.
        name: of the function.
        ids: what it says that it holds.
        marks: names of its marks and of its module's, such as `long`.
    """

    path: str
    name: str
    ids: frozenset[str]
    marks: frozenset[str]

    @property
    def node(self) -> str:
        """As pytest names it on its command line."""
        return f"{self.path}::{self.name}"


def find_tests(root: Path) -> list[HeldTest]:
    """Every test below `tests/` of a project, those that hold nothing included."""
    paths = sorted((root / "tests").rglob("test_*.py"))
    return [test for path in paths for test in _tests_of(path, path.relative_to(root).as_posix())]


def ids_in(text: str) -> frozenset[str]:
    """The rows and promises that a text names: `F1, P13`, `F30-F36`, `test_f20_...`."""
    plain = text.replace("_", " ").upper() if text.startswith("test_") else text
    found = set(_ID.findall(plain))
    for letter, first, last in _SPAN.findall(plain):
        found |= {f"{letter}{number}" for number in range(int(first), int(last) + 1)}
    return frozenset(found & FOLLOWED)


def _tests_of(path: Path, name: str) -> Iterator[HeldTest]:
    module = ast.parse(path.read_text(encoding="utf-8"))
    # The first paragraph says what the module is about; a later one may name what it is not.
    of_module = ids_in((ast.get_docstring(module) or "").partition("\n\n")[0])
    marks_of_module = frozenset(
        mark
        for node in module.body
        if isinstance(node, ast.Assign) and any(_is_name(target, "pytestmark") for target in node.targets)
        for mark in _marks(node.value)
    )
    for node in module.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            own = ids_in(node.name) | ids_in(ast.get_docstring(node) or "")
            marks = frozenset(mark for decorator in node.decorator_list for mark in _marks(decorator))
            yield HeldTest(name, node.name, own or of_module, marks | marks_of_module)


def _marks(expression: ast.expr) -> Iterator[str]:
    """The names behind `pytest.mark.` in an expression."""
    for node in ast.walk(expression):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute) and node.value.attr == "mark":
            yield node.attr


def _is_name(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name
