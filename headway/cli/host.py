"""`headway host`: make this machine a trainer host of a control plane."""

import os
import platform
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from headway.cli.exit_codes import ExitCode
from headway.cli.session import finish, home_of, options_of, run_with_client
from headway.cli.view.consoles import say
from headway.cli.view.errors import show_fault
from headway.cli.view.output import Output, OutputOption, print_raw, show_item
from headway.client import HeadwayClient, RemoteError
from headway.client.locate import is_loopback
from headway.contract.ids import check_host_id
from headway.runtime.address_list import AddressList
from headway.v1.system_service_pb2 import EnrollHostResponse

app = typer.Typer(no_args_is_help=True)

_SCHEDULER_PORT = 7071


@dataclass(frozen=True, slots=True)
class Joining:
    """With what a host joins.

    Attributes:
        host_id: its name on the platform.
        key: with scope host.
        gateway_address: host:port as seen from this machine.
        scheduler_address: the same for the scheduler.
    """

    host_id: str
    key: str
    gateway_address: str
    scheduler_address: str


@app.command("join")
def join(
    ctx: typer.Context,
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="host:port of the gateway.")],
    token: Annotated[
        str, typer.Option(envvar="HEADWAY_API_KEY", help="Key from `headway host enroll`, or one with scope admin.")
    ] = "",
    host_id: Annotated[str, typer.Option("--id", help="Name of this host.", show_default="the machine's name")] = "",
    scheduler: Annotated[
        str,
        typer.Option(
            help="host:port of the scheduler; of each, with commas between.",
            show_default="as the gateway tells, or port 7071 there",
        ),
    ] = "",
    num_slots: Annotated[int, typer.Option("--slots", min=1, max=64, help="Attempts to run at a time.")] = 1,
) -> None:
    """Run a trainer host on this machine, in the foreground, until Ctrl-C.

    It dials out and needs no open port. On Ctrl-C it hands its work back and leaves.
    """
    _refuse_without_torch()
    options = options_of(ctx)
    name = host_id or default_host_id()
    found: list[Joining] = []

    async def enroll() -> ExitCode:
        check_host_id("--id", name)
        async with HeadwayClient.connect(
            address, token or None, home=home_of(options), ca_file=options.ca_file
        ) as client:
            found.append(await _enroll(client, address, name, scheduler))
        return ExitCode.OK

    finish(enroll(), home=home_of(options))
    (joining,) = found
    say(f"joining {joining.gateway_address} as {name}; see it with `headway hosts list`; Ctrl-C leaves")
    home = home_of(options) / "joined" / name
    os.execve(  # noqa: S606 - our own interpreter and module, no shell
        sys.executable,
        [sys.executable, "-m", "trainer_host"],
        host_environment(joining, home, num_slots, _with_ca_file(os.environ, options.ca_file)),
    )


@app.command("enroll")
def enroll_host(
    ctx: typer.Context,
    host_id: Annotated[str, typer.Argument(metavar="ID", help="Name of the host, such as gpu-1.")],
    output: OutputOption = Output.TABLE,
) -> None:
    """Make the key with which one host may join; prints the command for the other machine. The key is told once."""

    async def work(client: HeadwayClient) -> None:
        told = await client.system.enroll_host(check_host_id("ID", host_id))
        if output != Output.TABLE:
            show_item(told, host_id, (), output)
            return
        say("run this on the other machine (with its own view of the addresses):")
        print_raw(join_command(host_id, told))

    run_with_client(ctx, work)


async def _enroll(client: HeadwayClient, address: str, host_id: str, scheduler: str) -> Joining:
    """Ask for a key of the host's own; a key that may not ask is one already."""
    try:
        told = await client.system.enroll_host(host_id)
    except RemoteError as error:
        if error.reason != "SCOPE" or client.target.key is None:
            raise
        return Joining(host_id, client.target.key, address, scheduler or with_port(address, _SCHEDULER_PORT))
    return Joining(host_id, told.key, address, scheduler or seen_from(address, told.scheduler_address))


def join_command(host_id: str, told: EnrollHostResponse) -> str:
    """What to type on the machine that joins."""
    return (
        f"headway host join {told.gateway_address} --scheduler {told.scheduler_address} "
        f"--id {host_id} --token {told.key}"
    )


def seen_from(dialled: str, told: str) -> str:
    """Addresses as the gateway knows them, from a machine that dialled the gateway elsewhere than on loopback."""
    if not told:
        return with_port(dialled, _SCHEDULER_PORT)
    addresses = AddressList(told).each
    return ",".join(with_port(dialled, int(one.rpartition(":")[2])) if is_loopback(one) else one for one in addresses)


def with_port(address: str, port: int) -> str:
    """The same machine, another port."""
    return f"{address.rpartition(':')[0]}:{port}"


def default_host_id() -> str:
    """The machine's name as a host id."""
    name = re.sub(r"[^a-z0-9-]+", "-", platform.node().partition(".")[0].lower()).strip("-")
    return name[:63] or "host"


def host_environment(joining: Joining, home: Path, num_slots: int, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of the host's process."""
    return {
        **{name: value for name, value in environ.items() if name not in {"HEADWAY_ADDRESS", "HEADWAY_PROJECT"}},
        "HEADWAY_HOME": str(home),
        "HEADWAY_API_KEY": joining.key,
        "HEADWAY_TRAINER_HOST__HOST_ID": joining.host_id,
        "HEADWAY_TRAINER_HOST__MODE": "host",
        "HEADWAY_TRAINER_HOST__GATEWAY_ADDRESS": joining.gateway_address,
        "HEADWAY_TRAINER_HOST__SCHEDULER_ADDRESS": joining.scheduler_address,
        "HEADWAY_TRAINER_HOST__LISTEN": "127.0.0.1:0",
        "HEADWAY_TRAINER_HOST__NUM_SLOTS": str(num_slots),
    }


def _with_ca_file(environ: Mapping[str, str], ca_file: Path | None) -> dict[str, str]:
    return {**environ, **({"HEADWAY_CA_FILE": str(ca_file.expanduser().absolute())} if ca_file else {})}


def _refuse_without_torch() -> None:
    if find_spec("torch") is None or find_spec("trainer_host") is None:
        show_fault("this machine cannot train: torch is not installed", "pip install 'headway[host]'")
        raise typer.Exit(ExitCode.REFUSED)
