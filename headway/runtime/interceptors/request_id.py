"""Gives every call an id: the caller's own when it is harmless, else a fresh one."""

import re

from headway.runtime.interceptors.metadata import REQUEST_ID, Metadata, read
from headway.runtime.logs import bind
from headway.runtime.request_context import new_request_id, set_request_id

# What a log line, a header and a terminal can take without harm.
_HARMLESS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")


def begin(metadata: Metadata | None) -> str:
    """Choose the id and bind it to the task's context and logs."""
    sent = read(metadata, REQUEST_ID)
    request_id = sent if sent is not None and _HARMLESS.fullmatch(sent) else new_request_id()
    set_request_id(request_id)
    bind(request_id=request_id)
    return request_id
