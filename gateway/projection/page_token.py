"""Page tokens: where the next page begins, bound to the list's other arguments."""

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass

from pydantic_core import from_json

from headway.contract.errors import InvalidPageToken, Violation

_MAX_CHARACTERS = 512


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last row of a page.

    Attributes:
        order_values: values of the columns that the list is ordered by, the first the most important.
        job_id: of that row.
    """

    order_values: tuple[int, ...]
    job_id: str


def bind(*arguments: str) -> str:
    """A short digest of the arguments that a token belongs to."""
    return hashlib.sha256("\0".join(arguments).encode()).hexdigest()[:16]


def write_token(binding: str, cursor: Cursor) -> str:
    """The token of the page behind `cursor`. It is opaque, URL-safe, and gives no rights."""
    content = json.dumps([binding, cursor.order_values, cursor.job_id], separators=(",", ":"))
    return base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")


def read_token(binding: str, token: str, *, num_values: int = 1) -> Cursor:
    """The cursor in a token, for a list that is ordered by so many values.

    Raises:
        InvalidPageToken: not a token of ours, or one that was given for other arguments.
    """
    if len(token) > _MAX_CHARACTERS:
        raise _invalid("page_token is too long")
    try:
        # Not json.loads: it recurses.
        content = from_json(base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        raise _invalid("page_token is not one that a list call gave") from None
    match content:
        case [str(bound), [*order_values], str(job_id)] if len(order_values) == num_values and all(
            map(_is_stored, order_values)
        ):
            if bound == binding:
                return Cursor(tuple(order_values), job_id)
            raise _invalid("page_token was given for another parent, filter or order_by")
        case _:
            raise _invalid("page_token is not one that a list call gave")


def _is_stored(value: object) -> bool:
    return isinstance(value, int) and abs(value) < 2**63


def _invalid(message: str) -> InvalidPageToken:
    allowed = "next_page_token of a response, with the same parent, filter and order_by"
    return InvalidPageToken(message, violations=[Violation("page_token", InvalidPageToken.reason, message, allowed)])
