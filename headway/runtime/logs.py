"""Logs: one JSON object a line, or colours on a terminal; secrets and paths taken out; context bound once.

structlog writes to stderr directly, which is cheap; grpc, nats and discord log through the standard library and come
out in the same shape.
"""

import logging
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import structlog
from structlog.typing import FilteringBoundLogger, Processor, WrappedLogger

from headway.runtime.log_stream import LineLogger, LogStream
from headway.runtime.redaction import Redactor

__all__ = ["FilteringBoundLogger", "bind", "bound", "configure_logging", "get_logger"]

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def get_logger(name: str) -> FilteringBoundLogger:
    """A logger whose lines name their module. Safe at import time: it is configured at its first line."""
    logger: FilteringBoundLogger = structlog.get_logger(module=name)
    return logger


def bind(**fields: str | int) -> None:
    """Add fields (request_id, job, attempt, host) to every later line of this task and the tasks that it starts."""
    structlog.contextvars.bind_contextvars(**fields)


@contextmanager
def bound(**fields: str | int) -> Iterator[None]:
    """As `bind`, within a block."""
    with structlog.contextvars.bound_contextvars(**fields):
        yield


def configure_logging(
    service: str,
    *,
    level: str = "info",
    roots: Mapping[str, Path] | None = None,
    json_lines: bool | None = None,
    stream: TextIO | None = None,
) -> None:
    """Send every line of this process to stderr in one shape. Called once, first thing in `__main__`.

    Args:
        service: written into every line.
        level: debug, info, warning or error.
        roots: directories whose paths stay readable, by label; see `Redactor`.
        json_lines: False for colours; None for JSON unless the stream is a terminal.
        stream: where to write; stderr when None.
    """
    target = stream or sys.stderr
    lines = LogStream(target)
    as_json = not target.isatty() if json_lines is None else json_lines
    before: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _naming(service),
    ]
    after = _rendering(as_json, Redactor(roots))
    structlog.configure(
        processors=[*before, *after],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=lambda *_: LineLogger(lines),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(lines)
    foreign: list[Processor] = [*before, structlog.stdlib.add_logger_name]
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=foreign, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *after]
        )
    )
    # Libraries are quieter than we are: their info is our debug.
    logging.basicConfig(handlers=[handler], level=max(_LEVELS[level], logging.WARNING), force=True)


def _naming(service: str) -> Processor:
    def add_service(
        _logger: WrappedLogger, _method: str, event: MutableMapping[str, object]
    ) -> MutableMapping[str, object]:
        event["service"] = service
        return event

    return add_service


def _rendering(as_json: bool, redactor: Redactor) -> list[Processor]:  # noqa: FBT001 - a choice made in one place
    if as_json:
        # Locals stay out: they hold keys and corpus text.
        return [structlog.processors.format_exc_info, _redacting(redactor), structlog.processors.JSONRenderer()]
    plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    return [structlog.processors.format_exc_info, _redacting(redactor), plain]


def _redacting(redactor: Redactor) -> Processor:
    def redact(_logger: WrappedLogger, _method: str, event: MutableMapping[str, object]) -> MutableMapping[str, object]:
        for key, value in event.items():
            if isinstance(value, str):
                event[key] = redactor.clean(value)
            elif not isinstance(value, (int, float, bool, type(None))):
                event[key] = redactor.clean(str(value))
        return event

    return redact
