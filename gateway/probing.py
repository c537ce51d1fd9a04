"""Asks `table_probe` about files, one at a time."""

import asyncio
import os
import sys

from gateway.table_probe import Answer, Question
from headway.contract.errors import InvalidTable, Violation
from headway.runtime.logs import get_logger

_log = get_logger(__name__)
_ERRORS = {error.reason: error for error in InvalidTable.__subclasses__()}
_LIMIT_SECONDS = 60.0
_MAX_ANSWER_BYTES = 32 * 1024 * 1024


class Prober:
    """Starts a process a question. Such files are rare, and what is found is remembered by the caller."""

    def __init__(self) -> None:
        self._one_at_a_time = asyncio.Semaphore(1)

    async def ask(self, question: Question, *, field: str) -> Answer:
        """Look into a file.

        Raises:
            InvalidTable: it cannot be read; `field` is the request's field that named it.
        """
        async with self._one_at_a_time:
            output = await self._run(question)
        if not output:
            raise unreadable(f"the file cannot be read as {question.format}", field)
        answer = Answer.model_validate_json(output)
        if answer.problem:
            raise unreadable(answer.problem, field, _ERRORS.get(answer.reason, InvalidTable))
        return answer

    async def _run(self, question: Question) -> bytes:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "gateway.table_probe",
            question.model_dump_json(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={**os.environ, "POLARS_MAX_THREADS": "1"},
            limit=_MAX_ANSWER_BYTES,
        )
        try:
            async with asyncio.timeout(_LIMIT_SECONDS):
                output, _ = await process.communicate()
        except TimeoutError:
            return b""
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode != 0:
            _log.warning("a data file broke its reader", format=question.format, returncode=process.returncode)
            return b""
        return output


def unreadable(message: str, field: str, error: type[InvalidTable] = InvalidTable) -> InvalidTable:
    """The error for a file that cannot be read."""
    return error(message, violations=[Violation(field, error.reason, message)])
