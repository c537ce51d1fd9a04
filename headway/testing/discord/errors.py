"""How Discord says no."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import JsonValue


@dataclass(frozen=True, slots=True)
class FieldFault:
    """One field of a request that breaks a rule.

    Attributes:
        path: of the field, list indices as text.
        code: Discord's word for the rule.
        message: for people.
    """

    path: tuple[str, ...]
    code: str
    message: str


class ApiError(Exception):
    """An answer of the REST interface that is no success.

    Attributes:
        status: of HTTP.
        code: Discord's own number, 0 where it has none.
        message: Discord's sentence.
        faults: the fields at fault, for code 50035.
    """

    def __init__(self, status: int, code: int, message: str, faults: Sequence[FieldFault] = ()) -> None:
        details = [f"{'.'.join(fault.path)}: {fault.message}" for fault in faults]
        super().__init__("; ".join([f"{status} {code}: {message}", *details]))
        self.status = status
        self.code = code
        self.message = message
        self.faults = tuple(faults)

    def body(self) -> dict[str, JsonValue]:
        """The JSON of the answer."""
        body: dict[str, JsonValue] = {"message": self.message, "code": self.code}
        if self.faults:
            tree: dict[str, JsonValue] = {}
            for fault in self.faults:
                _plant(tree, fault)
            body["errors"] = tree
        return body


def _plant(tree: dict[str, JsonValue], fault: FieldFault) -> None:
    node = tree
    for part in fault.path:
        child = node.setdefault(part, {})
        if not isinstance(child, dict):
            raise TypeError(f"{fault.path} runs through a list of errors")
        node = child
    found = node.setdefault("_errors", [])
    if isinstance(found, list):
        found.append({"code": fault.code, "message": fault.message})


def invalid_form(faults: Sequence[FieldFault]) -> ApiError:
    """400 with the fields at fault."""
    return ApiError(400, 50035, "Invalid Form Body", faults)


def unauthorized() -> ApiError:
    """401: not this application's token."""
    return ApiError(401, 0, "401: Unauthorized")


def unknown(what: str, code: int) -> ApiError:
    """404: there is no such thing; `code` is Discord's, such as 10008 for a message."""
    return ApiError(404, code, f"Unknown {what}")
