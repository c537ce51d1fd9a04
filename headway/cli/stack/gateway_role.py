"""Runs one of the gateway's other roles as a process, with nats-server beside it where none runs yet."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TypeAlias

from pydantic import BaseModel, ConfigDict, ValidationError

from headway.cli.stack.home import Home
from headway.cli.stack.ports import choose_ports
from headway.contract.errors import Code, ServiceUnavailable
from headway.runtime.nats_server import NatsServer, NatsServerOptions
from headway.runtime.remote_error import RemoteError
from headway.runtime.tether import tethered

Json: TypeAlias = "Mapping[str, Json] | list[Json] | str | int | float | bool | None"
Report = dict[str, Json]
_ROLE_LINE_MAX_BYTES = 64 * 1024 * 1024
_NOT_THE_ROLES = frozenset({"HEADWAY_ADDRESS", "HEADWAY_CA_FILE", "HEADWAY_API_KEY", "HEADWAY_PROJECT"})


class Progress(BaseModel):
    """How far the work is."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    what: str
    done: int
    total: int
    unit: str


async def run_role(
    home: Home, nats: Mapping[str, str], arguments: list[str], on_progress: Callable[[Progress], None]
) -> tuple[Report, bool]:
    """Run `python -m gateway ARGUMENTS` to its end.

    Args:
        home: of the gateway.
        nats: variables that say where nats-server is; see `running_nats` and `nats_of_running_stack`.
        arguments: the role.
        on_progress: hears how far it is.

    Returns:
        What was done, and whether everything is there.

    Raises:
        RemoteError: the program refused the work, or could not finish it; with its own reason.
        ServiceUnavailable: it ended without a word; its log says why.
    """
    log_file = home.log_file(f"gateway-{arguments[0]}")
    log_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        process = await asyncio.create_subprocess_exec(
            *tethered([sys.executable, "-m", "gateway", *arguments]),
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=descriptor,
            env={**_plain(os.environ), "HEADWAY_HOME": str(home.root), **nats},
            limit=_ROLE_LINE_MAX_BYTES,
        )
    finally:
        os.close(descriptor)
    try:
        report = await _listen(process, on_progress)
        exit_code = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if report is None:
        raise ServiceUnavailable(f"the gateway's program ended with exit code {exit_code}; {log_file} says why")
    return report, exit_code == 0


@asynccontextmanager
async def running_nats(home: Home) -> AsyncGenerator[dict[str, str], None]:
    """nats-server on the home's own store, for the length of the block; yields the variables that say where.

    Raises:
        ServiceUnavailable: it does not start.
    """
    ports = choose_ports(0)
    options = NatsServerOptions(directory=home.root / "nats", port=ports.nats, monitor_port=ports.nats_monitor)
    async with NatsServer(options) as server:
        yield {"HEADWAY_NATS_URL": server.url, "HEADWAY_NATS_MONITOR_URL": server.monitor_url}


def nats_of_running_stack(home: Home) -> dict[str, str]:
    """Where the nats-server of a running `headway up` is, as variables.

    Raises:
        ServiceUnavailable: the supervisor has not said so yet.
    """
    try:
        written = json.loads(home.run_file.read_text(encoding="utf-8"))
        urls = str(written["nats_url"]), str(written["nats_monitor_url"])
    except (OSError, ValueError, KeyError, TypeError):
        raise ServiceUnavailable("headway is starting or stopping; try again in some seconds") from None
    return {"HEADWAY_NATS_URL": urls[0], "HEADWAY_NATS_MONITOR_URL": urls[1]}


async def _listen(process: Process, on_progress: Callable[[Progress], None]) -> Report | None:
    """Read what the program says to its end; its report, None when it gave none."""
    report: Report | None = None
    if process.stdout is None:
        return None
    async for line in process.stdout:
        said = json.loads(line)
        match said.pop("line", ""):
            case "progress":
                try:
                    on_progress(Progress.model_validate(said))
                except ValidationError:
                    continue
            case "report":
                report = said
            case "error":
                code = int(said["code"])
                known = Code(code) if code in set(Code) else Code.FAILED_PRECONDITION
                raise RemoteError(known, str(said["reason"]), str(said["message"]))
    return report


def _plain(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name not in _NOT_THE_ROLES}
