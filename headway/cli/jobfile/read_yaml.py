"""YAML to nodes. Only the syntax is YAML's: no value is constructed, so no tag can run anything."""

import yaml

from headway.cli.jobfile.faults import Fault, refuse
from headway.cli.jobfile.tree import MAX_DEPTH, MAX_NODES, Fields, Items, Node, Scalar, ScalarKind

_KINDS = {
    "tag:yaml.org,2002:int": ScalarKind.WHOLE,
    "tag:yaml.org,2002:float": ScalarKind.REAL,
    "tag:yaml.org,2002:bool": ScalarKind.TRUTH,
    "tag:yaml.org,2002:null": ScalarKind.EMPTY,
}


def read_yaml(text: str, source: str) -> Node:
    """Parse one YAML document; JSON is YAML too.

    Raises:
        InvalidJobFile: bad syntax, a name given twice, or nested beyond reason.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise refuse(source, [Fault("", line, f"this is not YAML: {error.problem}")]) from None
    except yaml.YAMLError as error:
        raise refuse(source, [Fault("", 0, f"this is not YAML: {error}")]) from None
    return _Reader(source).node(root, 0) if root is not None else Fields()


class _Reader:
    """Walks a composed document; counts, because aliases can make a small file huge."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._num_nodes = 0

    def node(self, node: yaml.Node, depth: int) -> Node:
        line = node.start_mark.line + 1
        self._num_nodes += 1
        if depth > MAX_DEPTH or self._num_nodes > MAX_NODES:
            message = f"nested deeper than {MAX_DEPTH} levels, or more than {MAX_NODES} values"
            raise refuse(self._source, [Fault("", line, message)])
        if isinstance(node, yaml.MappingNode):
            return self._fields(node, depth, line)
        if isinstance(node, yaml.SequenceNode):
            return Items([self.node(item, depth + 1) for item in node.value], line)
        kind = _KINDS.get(node.tag, ScalarKind.TEXT)
        return Scalar(str(node.value), kind, line)

    def _fields(self, node: yaml.MappingNode, depth: int, line: int) -> Fields:
        found = Fields(line=line)
        for key, value in node.value:
            name, key_line = str(key.value), key.start_mark.line + 1
            if name in found.fields:
                message = f"{name} is given twice, first in line {found.lines[name]}"
                raise refuse(self._source, [Fault(name, key_line, message)])
            found.fields[name] = self.node(value, depth + 1)
            found.lines[name] = key_line
        return found
