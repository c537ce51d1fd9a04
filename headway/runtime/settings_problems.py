"""Says what is wrong with settings: the key in both spellings, the bounds, and what to do. Never a secret."""

import difflib
from collections.abc import Iterator, Mapping, Sequence

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_core import ErrorDetails

SERVICES = frozenset({"gateway", "scheduler", "trainer_host", "notifier"})
"""Tables of `headway.toml`, and names after HEADWAY_ in the environment."""

OTHER_VARIABLES = frozenset(
    {
        "HEADWAY_CONFIG",
        "HEADWAY_TESTING",
        "HEADWAY_FAILPOINT",
        "HEADWAY_ADDRESS",
        "HEADWAY_API_KEY",
        "HEADWAY_API_KEY_FILE",
        "HEADWAY_PROJECT",
    }
)
"""Variables that are read elsewhere: by tests and by the command line."""

_PREFIX = "HEADWAY_"
_SECRETS = ("password", "secret", "token", "key", "nats_url", "webhook")


class SettingsError(Exception):
    """The settings cannot be used. Its text has one line a problem."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(f"headway: {problem}" for problem in problems))
        self.problems = tuple(problems)


class WrongKey(ValueError):
    """Raised by the validator of a section about one of its keys, so that the key is named in full."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


def describe(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """One line for each fault that pydantic found."""
    return [_describe_one(fault, model) for fault in error.errors(include_url=False)]


def unknown_variables(model: type[BaseModel], environment: Mapping[str, str]) -> list[str]:
    """One line for each HEADWAY_ variable that nothing reads; pydantic-settings would ignore it without a word."""
    known = set(_variables(model, _PREFIX)) | OTHER_VARIABLES
    problems = []
    for name in sorted(environment):
        if not name.startswith(_PREFIX) or name in known or _belongs_to_another(name, model):
            continue
        problems.append(f"{name} is not a setting{_nearest(name, known)}")
    return problems


def _belongs_to_another(name: str, model: type[BaseModel]) -> bool:
    service = name.removeprefix(_PREFIX).partition("__")[0].lower()
    return service in SERVICES and service not in model.model_fields


def _variables(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield prefix + name.upper()
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            yield from _variables(section, f"{prefix}{name.upper()}__")


def _describe_one(fault: ErrorDetails, model: type[BaseModel]) -> str:
    cause = fault.get("ctx", {}).get("error")
    path = [*(str(part) for part in fault["loc"]), *([cause.key] if isinstance(cause, WrongKey) else [])]
    key = ".".join(path) or "settings"
    if fault["type"] == "extra_forbidden":
        return f"{key} is not a setting{_nearest(path[-1], _siblings(model, path))}"
    message = fault["msg"].removeprefix("Value error, ")
    if not path:
        return message
    # A fault of a whole section comes with the section, and with every secret in it.
    is_printable = not any(word in key for word in _SECRETS) and not isinstance(fault["input"], Mapping | BaseModel)
    given = f", not {_shown(fault['input'])}" if is_printable else ""
    return f"{key} (or {_PREFIX}{'__'.join(path).upper()}): {message[:1].lower()}{message[1:]}{given}"


def _siblings(model: type[BaseModel], path: Sequence[str]) -> set[str]:
    for name in path[:-1]:
        field = model.model_fields.get(name)
        section = field.annotation if field is not None else None
        if not (isinstance(section, type) and issubclass(section, BaseModel)):
            return set()
        model = section
    return set(model.model_fields) | (set(SERVICES) if len(path) == 1 else set())


def _nearest(name: str, known: set[str]) -> str:
    found = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)
    return f"; did you mean {found[0]}?" if found else "; remove it"


def _shown(value: object) -> str:
    return "a secret" if isinstance(value, SecretStr) else repr(value)[:64]
