"""The files of deploy/, read as an engine would read them, and their nats-server started without one."""

import os
import re
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import yaml
from pydantic import BaseModel, ConfigDict, Field

from headway.runtime.nats_server import nats_server_path
from headway.testing.ports import free_port

ROOT = Path(__file__).resolve().parent.parent.parent
DEPLOY = ROOT / "deploy"
NATS_CONFIG = DEPLOY / "nats" / "headway.conf"
USERS = ("gateway", "scheduler", "notifier", "subscriber")
_READY_LIMIT_SECONDS = 20.0
_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


class Healthcheck(BaseModel):
    """How an engine asks whether a container is well."""

    model_config = ConfigDict(extra="ignore")
    test: list[str]


class Dependency(BaseModel):
    """What another service must be before this one is started."""

    condition: str


class Build(BaseModel):
    """Where the image comes from."""

    context: str
    dockerfile: str
    target: str


class ComposeService(BaseModel):
    """What the tests look at of a service."""

    model_config = ConfigDict(extra="ignore")
    image: str
    build: Build
    command: list[str]
    environment: dict[str, str] = Field(default_factory=dict)
    env_file: str = ""
    volumes: list[str] = Field(default_factory=list)
    ports: list[str] = Field(default_factory=list)
    networks: list[str]
    depends_on: dict[str, Dependency] = Field(default_factory=dict)
    healthcheck: Healthcheck
    restart: str
    read_only: bool
    cap_drop: list[str]
    security_opt: list[str]


class Compose(BaseModel):
    """What the tests look at of the file."""

    model_config = ConfigDict(extra="ignore")
    services: dict[str, ComposeService]
    volumes: dict[str, None]

    def in_order(self) -> list[tuple[str, ComposeService]]:
        """Services, each behind those that it depends on."""
        ordered: dict[str, ComposeService] = {}
        while len(ordered) < len(self.services):
            ready = [
                (name, service)
                for name, service in self.services.items()
                if name not in ordered and set(service.depends_on) <= set(ordered)
            ]
            assert ready, "services wait for each other in a circle, or for one that does not exist"
            ordered |= dict(ready)
        return list(ordered.items())


Yaml: TypeAlias = "dict[str, Yaml] | list[Yaml] | str | int | float | bool | None"


def compose_text() -> str:
    """compose.yaml with its merges resolved and its variables at their defaults, as YAML."""
    parsed: Yaml = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    return yaml.safe_dump(_with_defaults(parsed))


def _with_defaults(value: Yaml) -> Yaml:
    """Variables are filled in behind the parsing: what they hold is text, whatever it looks like."""
    if isinstance(value, dict):
        return {name: _with_defaults(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_with_defaults(inner) for inner in value]
    return _VARIABLE.sub(lambda found: found[2] or "", value) if isinstance(value, str) else value


def read_compose() -> Compose:
    """compose.yaml as data."""
    return Compose.model_validate(yaml.safe_load(compose_text()))


def make_passwords(folder: Path, address: str) -> dict[str, str]:
    """Run the script that makes passwords; the environment of nats-server."""
    script = DEPLOY / "nats" / "make_passwords.sh"
    subprocess.run([script, folder, address], check=True, capture_output=True)
    return read_env_file(folder / "nats.env")


def read_env_file(path: Path) -> dict[str, str]:
    """NAME=VALUE lines, as an engine reads an env_file."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


@dataclass(frozen=True, slots=True)
class DeployedNats:
    """A nats-server that runs with the configuration of deploy/."""

    port: int
    monitor_port: int
    log: Path
    passwords: Path

    def url(self, user: str) -> str:
        """Where the user connects, with its password."""
        return read_env_file(self.passwords / f"{user}.env")["HEADWAY_NATS_URL"]

    @property
    def monitor_url(self) -> str:
        """Where health is asked."""
        return f"http://127.0.0.1:{self.monitor_port}"

    @property
    def violations(self) -> list[str]:
        """Everything that a user tried and may not."""
        return [line for line in self.log.read_text(encoding="utf-8").splitlines() if "Violation" in line]


@contextmanager
def deployed_nats(folder: Path, config: Path = NATS_CONFIG) -> Iterator[DeployedNats]:
    """The server for the length of the block, with passwords of its own."""
    port, monitor_port, log = free_port(), free_port(), folder / "nats.log"
    environ = make_passwords(folder / "secrets", f"127.0.0.1:{port}")
    arguments = [
        *(nats_server_path(), "--config", str(config), "--port", str(port), "--http_port", str(monitor_port)),
        *("--log", str(log)),
    ]
    environ["NATS_STORE_DIR"] = str(folder / "store")
    process = subprocess.Popen(arguments, env=os.environ | environ, stderr=subprocess.DEVNULL)
    server = DeployedNats(port, monitor_port, log, folder / "secrets")
    try:
        _wait_until_healthy(server, process)
        yield server
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait_until_healthy(server: DeployedNats, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.perf_counter() + _READY_LIMIT_SECONDS
    while True:
        assert process.poll() is None, "nats-server ended"
        try:
            with urllib.request.urlopen(f"{server.monitor_url}/healthz", timeout=1):  # noqa: S310 - our own
                return
        except OSError:
            assert time.perf_counter() < deadline, "nats-server is not ready"
            time.sleep(0.02)
