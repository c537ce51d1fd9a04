"""The application's slash commands, and what a typed line makes of them, as Discord's own client would."""

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from headway.testing.discord.errors import ApiError, FieldFault, invalid_form
from headway.testing.discord.payloads import Json, Payload, read

SUB_COMMAND = 1
SUB_COMMAND_GROUP = 2
STRING = 3
INTEGER = 4
BOOLEAN = 5
NUMBER = 10
BOT_DM = 1

_MAX_COMMANDS = 100
_MAX_OPTIONS = 25
_MAX_TOTAL = 8000
_NAME = re.compile(r"[-_'\w]{1,32}")
_TYPES = frozenset({SUB_COMMAND, SUB_COMMAND_GROUP, STRING, INTEGER, BOOLEAN, NUMBER})


class BadLine(Exception):
    """A typed line that Discord's client would not send; the message says what it would take."""


class Choice(Payload):
    """A value that the client offers."""

    name: str
    value: str | int | float


class Option(Payload):
    """A parameter, a sub-command, or a group of sub-commands."""

    type: int
    name: str
    description: str
    required: bool = False
    autocomplete: bool = False
    choices: tuple[Choice, ...] = ()
    options: tuple["Option", ...] = ()
    min_length: int | None = None
    max_length: int | None = None
    min_value: int | float | None = None
    max_value: int | float | None = None


class Command(Payload):
    """A registered command."""

    id: str = ""
    name: str
    description: str = ""
    type: int = 1
    options: tuple[Option, ...] = ()
    contexts: tuple[int, ...] | None = None
    integration_types: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Typed:
    """A line as the client sends it.

    Attributes:
        data: of the interaction.
        command: that was named.
    """

    data: Json
    command: Command


def read_commands(body: JsonValue) -> tuple[Command, ...]:
    """The commands of a bulk overwrite.

    Raises:
        ApiError: 400, one breaks a rule of Discord's.
    """
    if not isinstance(body, list):
        raise invalid_form([FieldFault((), "LIST_TYPE", "Must be a list.")])
    commands = tuple(read(Command, one) for one in body)
    faults = [fault for number, command in enumerate(commands) for fault in _faults(str(number), command)]
    if len(commands) > _MAX_COMMANDS:
        raise ApiError(400, 30032, "Maximum number of application commands reached (100).")
    names = [command.name for command in commands]
    if len(set(names)) < len(names):
        faults.append(FieldFault((), "APPLICATION_COMMANDS_DUPLICATE_NAME", "Application command names must be unique"))
    if faults:
        raise invalid_form(faults)
    return commands


def _faults(number: str, command: Command) -> Iterator[FieldFault]:
    yield from _named((number,), command.name, command.description)
    yield from _option_faults((number, "options"), command.options)
    if _total(command.name, command.description, command.options) > _MAX_TOTAL:
        yield FieldFault((number,), "APPLICATION_COMMAND_TOO_LARGE", f"Command exceeds maximum size ({_MAX_TOTAL})")


def _option_faults(path: tuple[str, ...], options: Sequence[Option]) -> Iterator[FieldFault]:
    if len(options) > _MAX_OPTIONS:
        yield FieldFault(path, "BASE_TYPE_MAX_LENGTH", f"Must be {_MAX_OPTIONS} or fewer in length.")
    was_optional = False
    for number, option in enumerate(options):
        inside = (*path, str(number))
        yield from _named(inside, option.name, option.description)
        if option.type not in _TYPES:
            yield FieldFault((*inside, "type"), "BASE_TYPE_CHOICES", "This double does not know the type.")
        if option.required and was_optional:
            message = "Required options must be placed before non-required options"
            yield FieldFault(inside, "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", message)
        was_optional = was_optional or not (option.required or _is_part(option))
        if option.autocomplete and option.choices:
            yield FieldFault(inside, "APPLICATION_COMMAND_OPTIONS_CHOICES_INVALID", "Choices, or autocomplete.")
        if len(option.choices) > _MAX_OPTIONS:
            message = f"Must be {_MAX_OPTIONS} or fewer in length."
            yield FieldFault((*inside, "choices"), "BASE_TYPE_MAX_LENGTH", message)
        yield from _option_faults((*inside, "options"), option.options)


def _named(path: tuple[str, ...], name: str, description: str) -> Iterator[FieldFault]:
    if not _NAME.fullmatch(name) or name != name.lower():
        message = "Command name is invalid: 1-32 lower-case letters, digits, - and _"
        yield FieldFault((*path, "name"), "APPLICATION_COMMAND_INVALID_NAME", message)
    if not 1 <= len(description) <= 100:
        yield FieldFault((*path, "description"), "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length.")


def _total(name: str, description: str, options: Sequence[Option]) -> int:
    inside = sum(_total(option.name, option.description, option.options) for option in options)
    choices = sum(len(choice.name) + len(str(choice.value)) for option in options for choice in option.choices)
    return len(name) + len(description) + inside + choices


def _is_part(option: Option) -> bool:
    return option.type in {SUB_COMMAND, SUB_COMMAND_GROUP}


def usages(commands: Sequence[Command]) -> tuple[tuple[str, str], ...]:
    """Every command with its parameters, and what it does, as a person would look them up."""
    return tuple(line for command in commands for line in _usages(f"/{command.name}", command))


def _usages(said: str, holder: Command | Option) -> Iterator[tuple[str, str]]:
    parts = [option for option in holder.options if _is_part(option)]
    if parts:
        for part in parts:
            yield from _usages(f"{said} {part.name}", part)
        return
    words = [f"{option.name}:" if option.required else f"[{option.name}:]" for option in holder.options]
    yield " ".join([said, *words]), holder.description


def parse_line(commands: Sequence[Command], line: str, *, is_autocomplete: bool = False) -> Typed:
    """What the client sends for a line such as `/trainer status run:abc`, or without the name, `/trainer status abc`.

    Args:
        commands: that are registered.
        line: as typed.
        is_autocomplete: whether the last value is still being typed; required ones may be missing.

    Raises:
        BadLine: there is no such command, a value is missing, or one is not of its type.
    """
    words = _split(line)
    name = words[0].removeprefix("/") if words else ""
    command = next((one for one in commands if one.name == name), None)
    if command is None:
        raise BadLine(f"there is no command /{name}; {_offer(commands)}")
    data: Json = {"id": command.id, "name": command.name, "type": command.type}
    options = _parse_options(commands, command, words[1:], is_autocomplete=is_autocomplete)
    return Typed({**data, "options": options} if options else data, command)


def _split(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:
        # A quote that is never closed is only a character.
        return line.split()


def _offer(commands: Sequence[Command]) -> str:
    lines = [usage for usage, _ in usages(commands)]
    return f"there are: {', '.join(lines)}" if lines else "none are registered yet"


def _parse_options(
    commands: Sequence[Command], holder: Command | Option, words: Sequence[str], *, is_autocomplete: bool
) -> list[JsonValue]:
    parts = {option.name: option for option in holder.options if _is_part(option)}
    if parts:
        part = parts.get(words[0]) if words else None
        if part is None:
            raise BadLine(f"{holder.name} {words[0] if words else ''} is no command; {_offer(commands)}")
        inside = _parse_options(commands, part, words[1:], is_autocomplete=is_autocomplete)
        return [{"type": part.type, "name": part.name, "options": inside}]
    given = _assign(holder, words)
    if is_autocomplete:
        return _with_focus(holder, given)
    missing = [option.name for option in holder.options if option.required and option.name not in given]
    if missing:
        raise BadLine(f"{holder.name} needs {', '.join(missing)}")
    return [_value(option, given[option.name]) for option in holder.options if option.name in given]


def _assign(holder: Command | Option, words: Sequence[str]) -> dict[str, str]:
    """Each value with its option: by name, or the first option that has none yet."""
    given: dict[str, str] = {}
    for word in words:
        name, colon, value = word.partition(":")
        if colon and any(option.name == name for option in holder.options):
            given[name] = value
            continue
        free = next((option.name for option in holder.options if option.name not in given), None)
        if free is None:
            raise BadLine(f"{holder.name} does not know what to do with {word!r}")
        given[free] = word
    return given


def _with_focus(holder: Command | Option, given: dict[str, str]) -> list[JsonValue]:
    focused = next((name for name in reversed(given)), None)
    option = next((one for one in holder.options if one.autocomplete and focused in {None, one.name}), None)
    if option is None:
        raise BadLine(f"{holder.name} {focused or ''} has no autocomplete")
    shown = {**given, option.name: given.get(option.name, "")}
    return [
        {"type": one.type, "name": one.name, "value": shown[one.name], **({"focused": True} if one is option else {})}
        for one in holder.options
        if one.name in shown
    ]


def _value(option: Option, text: str) -> Json:
    value = _converted(option, text)
    allowed = [choice.value for choice in option.choices]
    if allowed and value not in allowed:
        raise BadLine(f"{option.name} is one of {', '.join(map(str, allowed))}")
    length, least, most = len(text), option.min_length or 0, option.max_length or 6000
    if option.type == STRING and not least <= length <= most:
        raise BadLine(f"{option.name} has {length} characters; it takes {least} to {most}")
    return {"type": option.type, "name": option.name, "value": value}


def _converted(option: Option, text: str) -> str | int | float | bool:
    try:
        if option.type == INTEGER:
            return int(text)
        if option.type == NUMBER:
            return float(text)
    except ValueError:
        raise BadLine(f"{option.name} is a number, not {text!r}") from None
    if option.type == BOOLEAN:
        return text.lower() in {"true", "yes", "on", "1"}
    return text
