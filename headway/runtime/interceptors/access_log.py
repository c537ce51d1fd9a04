"""One line a call: debug when it was quick and fine, info when it failed or was slow, error when the fault is ours."""

import time

import grpc

from headway.contract.errors import Code
from headway.runtime.logs import get_logger

_log = get_logger("headway.access")
_SLOW_SECONDS = 1.0
_OUR_FAULT = frozenset({Code.INTERNAL, Code.DATA_LOSS})


def log_call(method: str, code: Code | None, reason: str, started_seconds: float, *, is_unary: bool) -> None:
    """Write the line.

    Args:
        method: `/package.Service/Method`; logged without its slash, which would read as a path.
        code: None for OK.
        reason: the error's word; empty for OK.
        started_seconds: by `time.perf_counter`.
        is_unary: streams are never slow.
    """
    seconds = time.perf_counter() - started_seconds
    if code is None and (seconds < _SLOW_SECONDS or not is_unary):
        _log.debug("call", method=method.lstrip("/"), code="OK", milliseconds=round(seconds * 1000, 2))
        return
    name = "OK" if code is None else code.name
    write = _log.error if code in _OUR_FAULT else _log.info
    write("call", method=method.lstrip("/"), code=name, reason=reason, milliseconds=round(seconds * 1000, 2))


def log_cancelled(method: str, started_seconds: float) -> None:
    """Write the line of a call that the caller left or whose deadline passed."""
    seconds = time.perf_counter() - started_seconds
    code = grpc.StatusCode.CANCELLED.name
    _log.debug("call", method=method.lstrip("/"), code=code, milliseconds=round(seconds * 1000, 2))
