"""TOML to nodes. The parser of the standard library tells no lines; those of keys are found by looking."""

import re
import tomllib

from headway.cli.jobfile.faults import Fault, refuse
from headway.cli.jobfile.tree import Fields, Node, from_value

_HEADER = re.compile(r"\s*\[+\s*([^\]]+?)\s*\]+\s*(?:#.*)?")
_ENTRY = re.compile(r"\s*([A-Za-z0-9_.\"'-]+)\s*=")


def read_toml(text: str, source: str) -> Node:
    """Parse a TOML document; raises InvalidJobFile for bad syntax."""
    try:
        parsed = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"\(at line (\d+)", str(error))
        line = int(found.group(1)) if found else 0
        raise refuse(source, [Fault("", line, f"this is not TOML: {str(error).partition(' (at')[0]}")]) from None
    root = from_value(parsed)
    if isinstance(root, Fields):
        for path, line in _key_lines(text).items():
            _set_line(root, path.split("."), line)
    return root


def _key_lines(text: str) -> dict[str, int]:
    """Line of each dotted path that stands at the start of a line; good for plain files, and only used in messages."""
    lines: dict[str, int] = {}
    section = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.fullmatch(line):
            section = header.group(1).replace(" ", "") + "."
            lines.setdefault(section[:-1], number)
        elif entry := _ENTRY.match(line):
            lines.setdefault(section + entry.group(1).replace('"', "").replace("'", ""), number)
    return lines


def _set_line(node: Fields, path: list[str], line: int) -> None:
    first, *rest = path
    child = node.fields.get(first)
    if child is None:
        return
    node.lines.setdefault(first, line)
    if rest and isinstance(child, Fields):
        _set_line(child, rest, line)
