"""Events by the names that people give them: `completed`, `train.completed`, `trainer.train.completed.v1`; pure."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from types import MappingProxyType

from headway.contract.subjects import HOST_EVENTS, JOB_EVENTS, MODEL_EVENTS

ANY = "any"
TRAIN, MODEL, HOST = "train", "model", "host"
TERMINAL_TYPES = frozenset(f"trainer.train.{name}.v1" for name in ("completed", "failed", "cancelled"))
"""What a job's last event is."""

_FAMILIES: Mapping[str, Sequence[str]] = MappingProxyType({TRAIN: JOB_EVENTS, MODEL: MODEL_EVENTS, HOST: HOST_EVENTS})
_LOSSY = frozenset({"progress", "train.progress", "log"})
_PREFIX, _SUFFIX = "trainer.", ".v1"


class UnknownEvent(ValueError):
    """No event has this name; the message names the nearest, or all."""


def all_types() -> frozenset[str]:
    """The type of every event that is kept."""
    return frozenset(f"trainer.{family}.{name}.v1" for family, names in _FAMILIES.items() for name in names)


def short_name(event_type: str) -> str:
    """`train.completed` for `trainer.train.completed.v1`."""
    return event_type.removeprefix(_PREFIX).removesuffix(_SUFFIX)


def family_of(event_type: str) -> str:
    """`train`, `model` or `host`."""
    return short_name(event_type).partition(".")[0]


def resolve(names: Sequence[str]) -> frozenset[str]:
    """The types that these names mean.

    Raises:
        UnknownEvent: one of them means nothing.
    """
    return frozenset(event_type for name in names for event_type in _types_of(name))


def completions(incomplete: str) -> list[str]:
    """The names that go on so, for the shell: bare ones first."""
    return [name for name in _names() if name.startswith(incomplete)]


def _types_of(name: str) -> frozenset[str]:
    short = name.lower().removeprefix(_PREFIX).removesuffix(_SUFFIX).removesuffix(".*")
    if short == ANY:
        return all_types()
    found = frozenset(
        event_type
        for event_type in all_types()
        if short in {short_name(event_type), short_name(event_type).partition(".")[2], family_of(event_type)}
    )
    if not found:
        raise UnknownEvent(_advice(name, short))
    return found


def _advice(name: str, short: str) -> str:
    if short in _LOSSY:
        return f"'{name}' is lossy and starts no command; see it with: headway events tail --all"
    near = get_close_matches(short, _names(), n=1) or get_close_matches(short.rpartition(".")[2], _names(), n=1)
    if near:
        return f"no event is called '{name[:64]}'. Did you mean '{near[0]}'?"
    return f"no event is called '{name[:64]}'; there are {', '.join(_bare_names())}, and {ANY}"


def _names() -> list[str]:
    full = sorted(short_name(event_type) for event_type in all_types())
    return [*_bare_names(), *full, *(f"{family}.*" for family in _FAMILIES), ANY]


def _bare_names() -> list[str]:
    return [name for names in _FAMILIES.values() for name in names]
