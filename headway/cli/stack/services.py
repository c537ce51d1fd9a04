"""The services of one machine as data: command, environment, how each is seen to be ready."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from headway.cli.stack.home import Home
from headway.cli.stack.ports import LOOPBACK, Ports
from headway.client.locate import LOCAL_KEY
from headway.runtime.keys import read_key_file
from headway.runtime.nats_server import NatsServerOptions, nats_server_path, render_config

NATS = "nats-server"
GATEWAY = "gateway"
SCHEDULER = "scheduler"
TRAINER_HOST = "trainer_host"
NOTIFIER = "notifier"
FAKE_DISCORD = "fake_discord"
LOCAL_HOST_ID = "local"
FAKE_OWNER_ID = "80351110224678912"
"""Of the owner in the fake Discord; the one of Discord's own examples."""

# The command line's own variables. A service would take a gateway's address for its own business.
_CLIENT_VARIABLES = frozenset(
    {"HEADWAY_ADDRESS", "HEADWAY_API_KEY", "HEADWAY_API_KEY_FILE", "HEADWAY_CA_FILE", "HEADWAY_PROJECT"}
)


@dataclass(frozen=True, slots=True)
class StackOptions:
    """What `headway up` was asked for.

    Attributes:
        home: of keys, data and logs.
        ports: of every listener.
        data_root: where data paths of jobs start.
        log_level: least severe line in the log files.
        fake_discord_token: what the notifier logs in to a fake Discord with; empty: there is none, and the notifier
            talks to Discord itself if it is set up to.
    """

    home: Home
    ports: Ports
    data_root: Path
    log_level: str = "info"
    fake_discord_token: str = ""


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """One process to run.

    Attributes:
        name: for people, log files and run files.
        command: program and arguments.
        environment: the whole of it.
        address: host:port that it will serve; empty when it serves none.
        stop_rank: services of a lower rank are stopped first, and waited for.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    address: str
    stop_rank: int


def plan_services(options: StackOptions, environ: Mapping[str, str] = os.environ) -> tuple[ServicePlan, ...]:
    """Every service of one machine, in the order of the status table."""
    home, ports = options.home, options.ports
    shared = _shared_environment(options, environ)
    gateway, scheduler = f"{LOOPBACK}:{ports.gateway}", f"{LOOPBACK}:{ports.scheduler}"
    host, notifier = f"{LOOPBACK}:{ports.trainer_host}", f"{LOOPBACK}:{ports.notifier}"
    plans = [
        ServicePlan(NATS, _nats_command(home, ports), _plain(environ), f"{LOOPBACK}:{ports.nats}", stop_rank=2),
        _python_service(
            GATEWAY,
            gateway,
            {**shared, "HEADWAY_GATEWAY__LISTEN": gateway, "HEADWAY_GATEWAY__SCHEDULER_ADDRESS": scheduler},
            stop_rank=1,
        ),
        _python_service(SCHEDULER, scheduler, {**shared, "HEADWAY_SCHEDULER__LISTEN": scheduler}, stop_rank=1),
        _python_service(TRAINER_HOST, host, {**shared, **_host_environment(options, gateway, scheduler, host)}, 0),
        _python_service(
            NOTIFIER, notifier, {**shared, **_notifier_environment(options, gateway, notifier)}, stop_rank=0
        ),
    ]
    return (*plans, _fake_discord(options, environ)) if options.fake_discord_token else tuple(plans)


def _python_service(module: str, address: str, environment: Mapping[str, str], stop_rank: int) -> ServicePlan:
    return ServicePlan(module, (sys.executable, "-m", module), environment, address, stop_rank)


def _shared_environment(options: StackOptions, environ: Mapping[str, str]) -> dict[str, str]:
    ports = options.ports
    return {
        **_plain(environ),
        "HEADWAY_HOME": str(options.home.root),
        "HEADWAY_DATA_ROOT": str(options.data_root),
        "HEADWAY_NATS_URL": f"nats://{LOOPBACK}:{ports.nats}",
        "HEADWAY_NATS_MONITOR_URL": f"http://{LOOPBACK}:{ports.nats_monitor}",
        "HEADWAY_LOG_LEVEL": environ.get("HEADWAY_LOG_LEVEL", options.log_level),
    }


def _host_environment(options: StackOptions, gateway: str, scheduler: str, listen: str) -> dict[str, str]:
    return {
        "HEADWAY_TRAINER_HOST__HOST_ID": LOCAL_HOST_ID,
        "HEADWAY_TRAINER_HOST__MODE": "local",
        "HEADWAY_TRAINER_HOST__GATEWAY_ADDRESS": gateway,
        "HEADWAY_TRAINER_HOST__SCHEDULER_ADDRESS": scheduler,
        "HEADWAY_TRAINER_HOST__LISTEN": listen,
        "HEADWAY_API_KEY": read_key_file(options.home.root / LOCAL_KEY),
    }


def _notifier_environment(options: StackOptions, gateway: str, listen: str) -> dict[str, str]:
    own = {
        "HEADWAY_NOTIFIER__LISTEN": listen,
        "HEADWAY_NOTIFIER__GATEWAY_ADDRESS": gateway,
        "HEADWAY_API_KEY": read_key_file(options.home.root / LOCAL_KEY),
    }
    if not options.fake_discord_token:
        return own
    address = f"{LOOPBACK}:{options.ports.fake_discord}"
    return own | {
        "HEADWAY_NOTIFIER__DISCORD__TOKEN": options.fake_discord_token,
        "HEADWAY_NOTIFIER__DISCORD__OWNER_ID": FAKE_OWNER_ID,
        "HEADWAY_NOTIFIER__DISCORD__API_BASE": f"http://{address}/api/v10",
        "HEADWAY_NOTIFIER__DISCORD__GATEWAY_URL": f"ws://{address}/gateway/",
        "HEADWAY_NOTIFIER__DISCORD__IS_CONTROL_ENABLED": "true",
    }


def _fake_discord(options: StackOptions, environ: Mapping[str, str]) -> ServicePlan:
    port = options.ports.fake_discord
    options_of_it = ("--port", str(port), "--home", str(options.home.root), "--owner-id", FAKE_OWNER_ID)
    # By environment and not by argument: every user of the machine can read the arguments of a process.
    environment = {**_plain(environ), "HEADWAY_FAKE_DISCORD_TOKEN": options.fake_discord_token}
    command = (sys.executable, "-m", "headway.testing.discord", *options_of_it)
    return ServicePlan(FAKE_DISCORD, command, environment, f"{LOOPBACK}:{port}", stop_rank=1)


def _plain(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name not in _CLIENT_VARIABLES}


def _nats_command(home: Home, ports: Ports) -> tuple[str, ...]:
    options = NatsServerOptions(directory=home.root / "nats", port=ports.nats, monitor_port=ports.nats_monitor)
    options.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    config = options.directory / "nats.conf"
    config.write_text(render_config(options), encoding="utf-8")
    return (nats_server_path(), "--config", str(config))
