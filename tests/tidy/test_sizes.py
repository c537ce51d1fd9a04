"""One clear job a file, a name that says it, and a size that one person can read."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.tidy.repository import ROOT, own_files

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "base", "manager", "managers"}


def test_every_file_and_function_can_be_read_by_one_person() -> None:
    assert [fault for path, source in _sources() for fault in find_long(path, source)] == []


def test_every_name_says_what_the_file_is_for() -> None:
    assert [fault for path, _ in _sources() for fault in find_vague_names(path)] == []


def test_an_init_file_holds_a_docstring_and_re_exports_only() -> None:
    inits = [(path, source) for path, source in _sources() if path.name == "__init__.py"]
    assert [fault for path, source in inits for fault in find_logic_in_init(path, source)] == []


def test_a_file_over_the_limit_is_found() -> None:
    assert list(find_long(Path("a.py"), "x = 1\n" * 400)) == []
    assert list(find_long(Path("a.py"), "x = 1\n" * 401)) == ["a.py: 401 lines, over 400"]


def test_a_function_over_the_limit_is_found_wherever_it_is() -> None:
    long_function = "class A:\n    async def f(self):\n" + "        x = 1\n" * 60
    assert list(find_long(Path("a.py"), long_function)) == ["a.py:2: f has 61 lines, over 60"]
    assert list(find_long(Path("a.py"), long_function.removesuffix("        x = 1\n"))) == []


def test_vague_names_are_found_in_files_and_folders() -> None:
    assert list(find_vague_names(Path("gateway/utils.py"))) == ["gateway/utils.py: say what it is for, not `utils`"]
    assert list(find_vague_names(Path("common/jobs.py"))) == ["common/jobs.py: say what it is for, not `common`"]
    assert list(find_vague_names(Path("gateway/lease_manager.py"))) != []
    assert list(find_vague_names(Path("gateway/baseline.py"))) == []


def test_logic_in_an_init_file_is_found() -> None:
    good = '"""A package."""\n\nfrom a import b\n\n__all__ = ["b"]\n'
    assert list(find_logic_in_init(Path("p/__init__.py"), good)) == []
    assert list(find_logic_in_init(Path("p/__init__.py"), "")) == ["p/__init__.py: needs a docstring"]
    assert list(find_logic_in_init(Path("p/__init__.py"), good + "x = b()\n")) == [
        "p/__init__.py:6: only a docstring, imports and __all__ belong here"
    ]


def find_long(path: Path, source: str) -> Iterator[str]:
    num_lines = len(source.splitlines())
    if num_lines > MAX_FILE_LINES:
        yield f"{path}: {num_lines} lines, over {MAX_FILE_LINES}"
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            num_lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if num_lines > MAX_FUNCTION_LINES:
                yield f"{path}:{node.lineno}: {node.name} has {num_lines} lines, over {MAX_FUNCTION_LINES}"


def find_vague_names(path: Path) -> Iterator[str]:
    for part in (*path.parts[:-1], path.stem):
        # The last word decides: a lease_manager manages no better than a manager.
        if part.split("_")[-1] in BANNED_NAMES:
            yield f"{path}: say what it is for, not `{part}`"


def find_logic_in_init(path: Path, source: str) -> Iterator[str]:
    tree = ast.parse(source)
    if ast.get_docstring(tree) is None:
        yield f"{path}: needs a docstring"
    for node in tree.body:
        is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        is_import = isinstance(node, ast.Import | ast.ImportFrom)
        is_all = isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]
        if not (is_docstring or is_import or is_all):
            yield f"{path}:{node.lineno}: only a docstring, imports and __all__ belong here"


def _sources() -> list[tuple[Path, str]]:
    return [(path, (ROOT / path).read_text(encoding="utf-8")) for path in own_files("*.py")]
