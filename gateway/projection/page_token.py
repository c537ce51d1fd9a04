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
        order_value: value of the column that the list is ordered by.
        job_id: of that row.
    """

    order_value: int
    job_id: str


def bind(*arguments: str) -> str:
    """A short digest of the arguments that a token belongs to."""
    return hashlib.sha256("\0".join(arguments).encode()).hexdigest()[:16]


def write_token(binding: str, cursor: Cursor) -> str:
    """The token of the page behind `cursor`. It is opaque, URL-safe, and gives no rights."""
    content = json.dumps([binding, cursor.order_value, cursor.job_id], separators=(",", ":"))
    return base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")


def read_token(binding: str, token: str) -> Cursor:
    """The cursor in a token.

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
        case [str(bound), int(order_value), str(job_id)] if abs(order_value) < 2**63:
            if bound == binding:
                return Cursor(order_value, job_id)
            raise _invalid("page_token was given for another parent, filter or order_by")
        case _:
            raise _invalid("page_token is not one that a list call gave")


def _invalid(message: str) -> InvalidPageToken:
    allowed = "next_page_token of a response, with the same parent, filter and order_by"
    return InvalidPageToken(message, violations=[Violation("page_token", InvalidPageToken.reason, message, allowed)])
