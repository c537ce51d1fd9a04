"""The runs that the owner may mean: from what was typed to a job's name, and what to suggest. Pure."""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from headway.contract.errors import InvalidName
from headway.contract.ids import JobName

ALL = "all"
MAX_NAMES = 500
MAX_SUGGESTIONS = 25
_MIN_PREFIX = 4
_MAX_PROJECTS = 10
_MAX_TYPED = 200
_LABEL_CHARACTERS = 100


class UnknownRun(Exception):
    """What was typed names no run; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Known:
    """A run that was heard of.

    Attributes:
        name: of the job.
        label: name for people and state; may be empty.
        title: name for people; may be empty.
    """

    name: JobName
    label: str = ""
    title: str = ""


class RunNames:
    """The newest runs; the oldest are forgotten."""

    def __init__(self, default_project: str) -> None:
        self._default_project = default_project
        self._known: OrderedDict[str, Known] = OrderedDict()

    def learn(self, name: JobName, label: str = "", title: str = "") -> None:
        """A run was heard of; without a label or title the one before stays."""
        before = self._known.pop(name.job_id, Known(name))
        self._known[name.job_id] = Known(name, label or before.label, title or before.title)
        while len(self._known) > MAX_NAMES:
            self._known.popitem(last=False)

    def title_of(self, job_id: str) -> str:
        """What people call a run; empty when that is not known."""
        known = self._known.get(job_id)
        return known.title if known is not None else ""

    def projects(self) -> tuple[str, ...]:
        """Those that runs were heard of from, the default one first; ten at most."""
        heard = (known.name.project for known in list(self._known.values())[::-1])
        return tuple(dict.fromkeys((self._default_project, *heard)))[:_MAX_PROJECTS]

    def resolve(self, typed: str) -> JobName:
        """The run that is meant: by full name, `project/id`, id, or the first four characters of an id or more.

        Raises:
            UnknownRun: none, or more than one.
        """
        text = typed.strip()[:_MAX_TYPED]
        if "/" in text:
            return _named(text)
        if text in self._known:
            return self._known[text].name
        # Of an id, since a name that people gave is not a way to cancel a job by mistake.
        matches = [known.name for job_id, known in self._known.items() if job_id.startswith(text)]
        if len(text) >= _MIN_PREFIX and len(matches) == 1:
            return matches[0]
        if len(text) >= _MIN_PREFIX and matches:
            raise UnknownRun(f"{len(matches)} runs begin like this; type more of the id.")
        return _named(f"{self._default_project}/{text}")

    def suggest(self, typed: str, watched: Iterable[str], *, with_all: bool = False) -> list[tuple[str, str]]:
        """Label and value of the runs that fit what was typed so far, watched ones and then the newest first."""
        text = typed.strip().lower()[:_MAX_TYPED]
        first = set(watched)
        newest = [*reversed(self._known.values())]
        newest.sort(key=lambda known: known.name.name not in first)
        found = [(ALL, ALL)] if with_all and ALL.startswith(text) else []
        for known in newest:
            value = f"{known.name.project}/{known.name.job_id}"
            label = " · ".join(part for part in (known.label, known.name.job_id) if part)
            if text in value or text in label.lower():
                found.append((_label(label), value))
        return found[:MAX_SUGGESTIONS]


def _label(text: str) -> str:
    """The end is kept: it holds the id."""
    return text if len(text) <= _LABEL_CHARACTERS else f"…{text[-_LABEL_CHARACTERS + 1 :]}"


def _named(text: str) -> JobName:
    project, _, job_id = text.rpartition("/")
    full = text if text.startswith("projects/") else JobName(project, job_id).name
    try:
        return JobName.parse(full)
    except InvalidName:
        raise UnknownRun("No run has such an id. /trainer runs lists them.") from None
