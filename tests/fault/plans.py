"""The processes of a fault cluster as data: homes, ports, settings."""

import os
import secrets
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from headway.cli.stack.services import NATS, ServicePlan
from headway.client.locate import LOCAL_KEY
from headway.runtime.keys import make_key, write_key_file
from headway.runtime.nats_server import NatsServerOptions, nats_server_path, render_config
from headway.testing.ports import steady_port
from headway.testing.toy_recipe import TOY_RECIPE
from tests.contract.host_process import NO_TORCH
from tests.fault.process import Proc

MARK = "FAULT_CLUSTER"
"""A variable that every process of a cluster inherits; by its value the orphans are found."""
_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a test asked for; see `fault_cluster`."""

    schedulers: int
    hosts: int
    slots: int
    lease_seconds: float
    interval_steps: int
    host_environ: Mapping[str, str] = field(default_factory=dict)
    gateway_environ: Mapping[str, str] = field(default_factory=dict)
    scheduler_environ: Mapping[str, str] = field(default_factory=dict)


class ClusterPlan:
    """Where everything lies and listens."""

    def __init__(self, folder: Path, setting: Setting) -> None:
        self.folder = folder
        self.setting = setting
        self.mark = secrets.token_hex(8)
        self.steps_dir = folder / "steps"
        self.secrets: list[str] = []
        self._num_requests = 0
        self._nats = NatsServerOptions(directory=folder / NATS, port=steady_port(), monitor_port=steady_port())
        self._addresses = {name: _loopback() for name in ("gateway", *self._schedulers(), *self._host_ids())}
        self._detours: dict[str, str] = {}
        # Before the gateway's first start, so that hosts can be started beside it.
        write_key_file(self.key_path, make_key().text)

    @property
    def key_path(self) -> Path:
        """The local key, with every right."""
        return self.folder / "gateway" / "home" / LOCAL_KEY

    @property
    def monitor_url(self) -> str:
        """Of nats-server."""
        return f"http://127.0.0.1:{self._nats.monitor_port}"

    @property
    def nats_url(self) -> str:
        """Of nats-server, without a link."""
        return f"nats://127.0.0.1:{self._nats.port}"

    def new_request_id(self) -> str:
        """One that no other submission of this cluster has."""
        self._num_requests += 1
        return f"{self.mark}-{self._num_requests}"

    def routes(self) -> Iterator[tuple[str, str]]:
        """Every connection between two services, as `from-to` and the target's address."""
        nats = self.nats_url.removeprefix("nats://")
        for scheduler in self._schedulers():
            yield f"{scheduler}-nats", nats
            yield f"gateway-{scheduler}", self._addresses[scheduler]
            for host in self._host_ids():
                yield f"{host}-{scheduler}", self._addresses[scheduler]
        yield "gateway-nats", nats
        for host in self._host_ids():
            yield f"{host}-gateway", self._addresses["gateway"]

    def route_through(self, addresses: Mapping[str, str]) -> None:
        """Let connections go to other addresses: those of proxies, by the names of `routes`."""
        self._detours = dict(addresses)

    def nats(self) -> Proc:
        """The nats-server."""
        folder = self._nats.directory
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "nats.conf").write_text(render_config(self._nats), encoding="utf-8")
        command = (nats_server_path(), "--config", str(folder / "nats.conf"))
        address = self.nats_url.removeprefix("nats://")
        return self._proc(ServicePlan(NATS, command, self._environ(folder), address, stop_rank=2), folder)

    def gateway(self) -> Proc:
        """The gateway."""
        own = {
            "HEADWAY_NATS_URL": self._nats_url_of("gateway"),
            "HEADWAY_GATEWAY__LISTEN": self._addresses["gateway"],
            "HEADWAY_GATEWAY__SCHEDULER_ADDRESS": self._schedulers_for("gateway"),
            **self.setting.gateway_environ,
        }
        return self._python("gateway", "gateway", own)

    def scheduler(self, number: int) -> Proc:
        """A scheduler, from 1."""
        name = f"scheduler{number}"
        own = {
            "HEADWAY_NATS_URL": self._nats_url_of(name),
            "HEADWAY_SCHEDULER__LISTEN": self._addresses[name],
            "HEADWAY_SCHEDULER__LEASE_SECONDS": str(self.setting.lease_seconds),
            **self.setting.scheduler_environ,
        }
        return self._python("scheduler", name, own)

    def host(self, number: int) -> Proc:
        """A host, from 1, whose child does without torch."""
        name = f"h{number}"
        without_torch = self.folder / "no_torch"
        without_torch.mkdir(exist_ok=True)
        (without_torch / "torch.py").write_text(NO_TORCH)
        own = {
            "PYTHONPATH": os.pathsep.join([str(without_torch), str(_ROOT)]),
            "HEADWAY_API_KEY_FILE": str(self.key_path),
            "HEADWAY_TRAINER_HOST__HOST_ID": name,
            "HEADWAY_TRAINER_HOST__LISTEN": self._addresses[name],
            "HEADWAY_TRAINER_HOST__GATEWAY_ADDRESS": self._address_for(name, "gateway"),
            "HEADWAY_TRAINER_HOST__SCHEDULER_ADDRESS": self._schedulers_for(name),
            "HEADWAY_TRAINER_HOST__NUM_SLOTS": str(self.setting.slots),
            "HEADWAY_TRAINER_HOST__RECIPES": f'["{TOY_RECIPE}"]',
            "HEADWAY_TRAINER_HOST__DELIVERY_WAIT_MAX_SECONDS": "1",
            "HEADWAY_TRAINER_HOST__CHECKPOINT_INTERVAL_STEPS": str(self.setting.interval_steps),
            **self.setting.host_environ,
        }
        return self._python("trainer_host", name, own)

    def _python(self, module: str, name: str, own: Mapping[str, str]) -> Proc:
        folder = self.folder / name
        command = (sys.executable, "-m", module)
        plan = ServicePlan(module, command, {**self._environ(folder), **own}, self._addresses[name], stop_rank=1)
        return self._proc(plan, folder)

    def _proc(self, plan: ServicePlan, folder: Path) -> Proc:
        folder.mkdir(parents=True, exist_ok=True)
        return Proc(plan, folder, self.monitor_url)

    def _environ(self, folder: Path) -> dict[str, str]:
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith(("HEADWAY_", "TRAINING_"))},
            MARK: self.mark,
            "PYTHONPATH": str(_ROOT),
            "HEADWAY_HOME": str(folder / "home"),
            "HEADWAY_NATS_MONITOR_URL": self.monitor_url,
            "HEADWAY_TESTING": "1",
            "HEADWAY_LOG_LEVEL": "info",
        }

    def _schedulers(self) -> list[str]:
        return [f"scheduler{number}" for number in range(1, self.setting.schedulers + 1)]

    def _host_ids(self) -> list[str]:
        return [f"h{number}" for number in range(1, self.setting.hosts + 1)]

    def _address_for(self, source: str, target: str) -> str:
        return self._detours.get(f"{source}-{target}", self._addresses[target])

    def _schedulers_for(self, source: str) -> str:
        return ",".join(self._address_for(source, scheduler) for scheduler in self._schedulers())

    def _nats_url_of(self, source: str) -> str:
        detour = self._detours.get(f"{source}-nats")
        return f"nats://{detour}" if detour else self.nats_url


def _loopback() -> str:
    return f"127.0.0.1:{steady_port()}"
