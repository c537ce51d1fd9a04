"""Each module that decides something has a test file of its own, where a reader looks for it."""

import ast
from pathlib import Path

from tests.tidy.repository import ROOT, own_modules

MIRRORED = ("headway/contract", "scheduler", "gateway/validation")
# Files of these names construct and start; the e2e tests run them.
WITHOUT_UNIT_TESTS = {"__init__.py", "__main__.py", "wiring.py"}
# Modules whose tests live elsewhere, each with the reason and the place.
TESTED_ELSEWHERE: dict[str, str] = {}


def test_each_module_with_logic_has_a_test_file() -> None:
    missing = [
        f"{path} wants {mirror_of(path)}"
        for path in own_modules(*MIRRORED)
        if path.name not in WITHOUT_UNIT_TESTS
        and str(path) not in TESTED_ELSEWHERE
        and has_logic((ROOT / path).read_text(encoding="utf-8"))
        and not any((ROOT / mirror).is_file() for mirror in _mirrors(path))
    ]
    assert missing == []


def test_an_exception_is_still_needed() -> None:
    stale = [
        name for name in TESTED_ELSEWHERE if not (ROOT / name).is_file() or (ROOT / mirror_of(Path(name))).is_file()
    ]
    assert stale == []


def test_the_mirror_of_a_module_is_found_by_its_path() -> None:
    assert mirror_of(Path("scheduler/reconcile.py")) == Path("tests/unit/scheduler/test_reconcile.py")
    assert mirror_of(Path("headway/contract/states.py")) == Path("tests/unit/contract/test_states.py")
    assert mirror_of(Path("gateway/validation/chain.py")) == Path("tests/unit/gateway/validation/test_chain.py")


def test_logic_is_a_function_that_does_something() -> None:
    assert not has_logic('"""Limits."""\n\nMAX_JOBS = 5\n')
    assert not has_logic('class A(Exception):\n    """A."""\n')
    assert not has_logic('class A(Protocol):\n    def f(self) -> int:\n        """Number."""\n        ...\n')
    assert has_logic("def f(x):\n    return x + 1\n")
    assert has_logic("class A:\n    def f(self):\n        return 1\n")


def mirror_of(module: Path) -> Path:
    inside = module.relative_to("headway") if module.is_relative_to("headway") else module
    return Path("tests/unit") / inside.parent / f"test_{inside.name}"


def _mirrors(module: Path) -> list[Path]:
    """Where its tests may be; a folder that re-exports its files is one module to its readers, cut for size."""
    init = ROOT / module.parent / "__init__.py"
    is_one_module = init.is_file() and "import" in init.read_text(encoding="utf-8")
    return [mirror_of(module), *([mirror_of(module.parent.with_suffix(".py"))] if is_one_module else [])]


def has_logic(source: str) -> bool:
    functions = [
        node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    return any(not _is_constant(statement) for function in functions for statement in function.body)


def _is_constant(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Pass) or (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    )
