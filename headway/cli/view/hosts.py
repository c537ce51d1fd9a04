"""Trainer hosts as a table."""

from datetime import datetime

from headway.cli.view.output import Column, View
from headway.cli.view.words import age
from headway.contract.modes import mode_name
from headway.v1.hosts_pb2 import Host, HostState

_STYLES = {"UP": "green", "DRAINING": "yellow", "LOST": "red"}


def host_view(now: datetime) -> View[Host]:
    """The columns of `headway hosts list`."""
    return View(
        columns=(
            Column("host", lambda host: host.name.removeprefix("hosts/")),
            Column("state", host_state, style=lambda state: _STYLES.get(state, "")),
            Column("mode", lambda host: mode_name(host.mode)),
            Column("running", lambda host: f"{host.num_running}/{host.num_slots}", is_number=True),
            Column("cores", lambda host: str(host.num_cpu_cores), is_number=True),
            Column("memory", lambda host: f"{host.memory_mib / 1024:.1f} GiB", is_number=True),
            Column("devices", lambda host: ", ".join(device.display_name for device in host.devices) or "cpu"),
            Column("torch", lambda host: host.torch_version or f"no: {host.torch_problem or 'not probed yet'}"),
            Column("kinds", kinds),
            Column("heard", lambda host: f"{age(host.heartbeat_time, now)} ago", is_number=True),
        ),
        name=lambda host: host.name,
    )


def host_state(host: Host) -> str:
    """`UP`, `DRAINING` or `LOST`."""
    return HostState.Name(host.state).removeprefix("HOST_STATE_")


def kinds(host: Host) -> str:
    """The kinds that a host can run."""
    return ", ".join(recipe.kind for recipe in host.recipes if recipe.available) or "-"
