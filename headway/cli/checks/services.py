"""What runs, and whether it is well."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from headway.cli.checks.notifier import check_notifier
from headway.cli.checks.verdict import Verdict, away, fail, ok
from headway.cli.global_options import GlobalOptions
from headway.cli.session import connect
from headway.cli.stack.readiness import is_serving
from headway.cli.view.hosts import host_state, kinds
from headway.client import HeadwayClient, RemoteError
from headway.client.locate import named_file
from headway.contract.errors import NotDurable, StoreUnavailable
from headway.contract.modes import mode_name
from headway.runtime.durability import check_durable, is_healthy

_START = "headway up"


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where `headway up` said that things are; empty where it did not say."""

    scheduler: str = ""
    nats_monitor_url: str = ""


def read_addresses(home: Path) -> Addresses:
    """From the run file of the supervisor."""
    try:
        written = json.loads((home / "run.json").read_text(encoding="utf-8"))
        return Addresses(str(written["scheduler_address"]), str(written["nats_monitor_url"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Addresses()


async def check_services(options: GlobalOptions, home: Path) -> AsyncIterator[Verdict]:
    """nats-server, scheduler, notifier, gateway and hosts; the first three only where they run on this machine."""
    addresses = read_addresses(home)
    if addresses.nats_monitor_url and not options.address:
        yield await _nats(addresses.nats_monitor_url)
        yield await _durability(addresses.nats_monitor_url)
        yield await _scheduler(addresses.scheduler)
        async for verdict in check_notifier(home, options.ca_file or named_file("HEADWAY_CA_FILE")):
            yield verdict
    async with connect(options) as client:
        if not await is_serving(client.target.address, options.ca_file or named_file("HEADWAY_CA_FILE")):
            yield away("gateway", f"does not answer at {client.target.address}", _START)
            return
        yield ok("gateway", f"serves at {client.target.address}")
        yield await _store(client.target.address, options.ca_file or named_file("HEADWAY_CA_FILE"))
        for check in (_access, _hosts):
            try:
                yield await check(client)
            except RemoteError as error:
                what = check.__name__.strip("_")
                yield fail(what, f"{error.reason}: {error.message}", "headway --key-file FILE doctor")


async def _nats(monitor_url: str) -> Verdict:
    if await is_healthy(monitor_url):
        return ok("nats", f"healthy ({monitor_url})")
    return away("nats", f"does not answer at {monitor_url}", _START)


async def _durability(monitor_url: str) -> Verdict:
    try:
        await check_durable(monitor_url)
    except NotDurable as error:
        return fail("sync_interval", error.message, "set `sync_interval: always` and restart nats-server")
    except StoreUnavailable as error:
        return away("sync_interval", error.message, _START)
    return ok("sync_interval", "always: what is acknowledged is on disk")


async def _scheduler(address: str) -> Verdict:
    if await is_serving(address):
        return ok("scheduler", f"serves at {address}")
    return away("scheduler", f"does not answer at {address}", f"{_START}; its log is logs/scheduler.log")


async def _store(address: str, ca_file: Path | None) -> Verdict:
    if await is_serving(address, ca_file, "headway.store"):
        return ok("store", "holds the records that the gateway knows")
    return fail("store", "lost: reads go on, every write is refused", "stop headway, then: headway recover")


async def _access(client: HeadwayClient) -> Verdict:
    config = await client.system.execution_config()
    return ok("access", f"the key is accepted; default execution mode {mode_name(config.default_mode)}")


async def _hosts(client: HeadwayClient) -> Verdict:
    found = await client.system.hosts()
    up = [host for host in found.hosts if host_state(host) == "UP"]
    able = [host for host in up if kinds(host) != "-"]
    words = ", ".join(f"{host.name.removeprefix('hosts/')} ({kinds(host)})" for host in able)
    if able:
        return ok("hosts", f"{len(able)} of {len(found.hosts)} can train: {words}")
    if up:
        problems = "; ".join(host.torch_problem or "its recipes are not probed yet" for host in up)
        return fail("hosts", f"{len(up)} up, none can train: {problems}", "pip install 'headway[host]' on the host")
    return fail("hosts", "none is up: jobs wait", f"{_START}, or headway host join ADDRESS on another machine")
