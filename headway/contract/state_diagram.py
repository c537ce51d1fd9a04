"""`docs/states.md`, rendered from the table of states: `make docs` writes it and a test compares it."""

import sys

from headway.contract.states import TABLE, TERMINAL_STATES, Move, outward_event, state_name

_HEAD = """# States of a job

Generated from `headway/contract/states.py` by `make docs`; a test compares the two. Do not edit.

```mermaid
stateDiagram-v2
"""

_NOBODY = "(none)"


def render() -> str:
    """The page: a diagram, then the table of moves with their guards and outward events."""
    return _HEAD + "".join(map(_arrow, TABLE)) + _ends() + "```\n\n" + _table()


def _name(move: Move) -> str:
    return "[*]" if move.source == 0 else state_name(move.source)


def _arrow(move: Move) -> str:
    return f"    {_name(move)} --> {state_name(move.target)}: {move.event.value}\n"


def _ends() -> str:
    return "".join(f"    {state_name(state)} --> [*]\n" for state in sorted(TERMINAL_STATES))


def _table() -> str:
    rows = ["| from | event | to | guard | outward event |\n", "|---|---|---|---|---|\n"]
    for move in TABLE:
        source = _NOBODY if move.source == 0 else state_name(move.source)
        outward = outward_event(move.event) or ""
        rows.append(f"| {source} | {move.event.value} | {state_name(move.target)} | {move.guard} | {outward} |\n")
    return "".join(rows)


if __name__ == "__main__":
    sys.stdout.write(render())
