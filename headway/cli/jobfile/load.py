"""A job file and the `--set` options of the command line, as a spec."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from headway.cli.jobfile.faults import Fault, InvalidJobFile, refuse
from headway.cli.jobfile.fields import fill, unknown_field
from headway.cli.jobfile.read_toml import read_toml
from headway.cli.jobfile.read_yaml import read_yaml
from headway.cli.jobfile.tree import Fields, Items, Node, Scalar, ScalarKind
from headway.contract.errors import echo
from headway.v1.job_specs_pb2 import JobSpec

MAX_FILE_BYTES = 1024 * 1024
STDIN = "-"
# What a file may say beside the fields of JobSpec: the rest of CreateJobRequest.
_BESIDE = ("project", "request_id")


@dataclass(frozen=True, slots=True)
class JobFile:
    """What a job file asks for.

    Attributes:
        spec: of the job.
        folder: that relative paths in it start from.
        project: when the file names one; else empty.
        request_id: when the file names one; else empty.
    """

    spec: JobSpec
    folder: Path
    project: str = ""
    request_id: str = ""


def load_job_file(path: Path, text: str, settings: Sequence[str] = ()) -> JobFile:
    """Read a job file.

    Args:
        path: its name tells the format: `.toml`, or else YAML; `-` is standard input, YAML.
        text: what it holds.
        settings: `tabular_train.epochs=5` and so on; they win over the file.

    Raises:
        InvalidJobFile: with every fault that was found.
    """
    source = "standard input" if str(path) == STDIN else path.name
    root = (read_toml if path.suffix == ".toml" else read_yaml)(text, source)
    if not isinstance(root, Fields):
        raise refuse(source, [Fault("", 1, "a job file holds named fields", "such as `tabular_train:`")])
    folder = Path.cwd() if str(path) == STDIN else path.absolute().parent
    return make_job_file(root, settings, source=source, folder=folder)


def make_job_file(root: Fields, settings: Sequence[str], *, source: str, folder: Path) -> JobFile:
    """A job file from its tree, wherever that came from.

    Args:
        root: the fields of the file; changed by this.
        settings: `tabular_train.epochs=5` and so on; they win over the tree.
        source: what messages call it.
        folder: that relative paths start from.

    Raises:
        InvalidJobFile: with every fault that was found.
    """
    for setting in settings:
        _apply(root, setting)
    beside, faults = _take_beside(root)
    spec = JobSpec()
    faults += _fill_spec(spec, root)
    if not faults and spec.WhichOneof("kind") is None:
        kinds = ", ".join(field.name for field in JobSpec.DESCRIPTOR.oneofs_by_name["kind"].fields)
        faults.append(Fault("", 0, "the file does not say what to train", f"one of {kinds}", "tabular_train:"))
    if faults:
        raise refuse(source, faults)
    return JobFile(spec, folder, beside.get("project", ""), beside.get("request_id", ""))


def read_text(path: Path) -> str:
    """The text of a job file of sane size; raises OSError or InvalidJobFile."""
    if str(path) == STDIN:
        return sys.stdin.read(MAX_FILE_BYTES)
    if path.stat().st_size > MAX_FILE_BYTES:
        raise InvalidJobFile(f"{path.name} is larger than 1 MiB; a job file is a page of text. Was a data file meant?")
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidJobFile(f"{path.name} is not a text in UTF-8; was a data file meant?") from None


def _fill_spec(spec: JobSpec, root: Fields) -> list[Fault]:
    known = {field.name for field in JobSpec.DESCRIPTOR.fields}
    strangers = [name for name in root.fields if name not in known]
    faults = [
        unknown_field(name, JobSpec.DESCRIPTOR, "", root.lines.get(name) or root.fields[name].line, _BESIDE)
        for name in strangers
    ]
    rest = Fields({name: node for name, node in root.fields.items() if name in known}, root.lines, root.line)
    return sorted(faults + fill(spec, rest), key=lambda fault: fault.line)


def _take_beside(root: Fields) -> tuple[dict[str, str], list[Fault]]:
    taken: dict[str, str] = {}
    faults: list[Fault] = []
    for name in _BESIDE:
        node = root.fields.pop(name, None)
        if isinstance(node, Scalar):
            taken[name] = node.text
        elif node is not None:
            faults.append(Fault(name, root.lines.get(name, 0), "one value is wanted here"))
    return taken, faults


def _apply(root: Fields, setting: str) -> None:
    """Put `path=value` into the tree; the value is written as in YAML."""
    path, equals, value = setting.partition("=")
    if not equals or not path.strip():
        raise InvalidJobFile(f"--set {echo(setting)} is not of the form path=value, such as tabular_train.epochs=5")
    parts = path.strip().split(".")
    place = root
    for part in parts[:-1]:
        child = place.fields.setdefault(part, Fields())
        if not isinstance(child, Fields):
            raise InvalidJobFile(f"--set {path}: {part} is a single value in the file, and has no fields")
        place = child
    place.fields[parts[-1]] = _value_of(value, path)
    place.lines.pop(parts[-1], None)


def _value_of(text: str, path: str) -> Node:
    if not text.strip():
        return Scalar("", ScalarKind.EMPTY)
    return _without_lines(read_yaml(text, f"--set {path}"))


def _without_lines(node: Node) -> Node:
    """A line of the command line is no line of the file."""
    match node:
        case Scalar(text=text, kind=kind):
            return Scalar(text, kind)
        case Items(items=items):
            return Items([_without_lines(item) for item in items])
        case Fields(fields=fields):
            return Fields({name: _without_lines(child) for name, child in fields.items()})
