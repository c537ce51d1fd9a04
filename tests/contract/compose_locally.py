"""Starts what compose.yaml starts: the same commands, environment and health checks, as processes of this machine."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from headway.runtime.nats_server import nats_server_path
from headway.testing.ports import free_port
from tests.contract.deployment import DEPLOY, Compose, ComposeService, make_passwords, read_compose, read_env_file

HOME = "/var/lib/headway"
_PORTS = {"nats": (4222, 8222), "gateway": (7070,), "scheduler": (7071,), "trainer-host": (7072,), "notifier": (7073,)}
_OURS = ("HEADWAY_", "TRAINING_", "DISCORD_")
_HEALTHY_LIMIT_SECONDS = 90.0


class Stack:
    """The containers of compose.yaml without their walls: a folder for each volume, a free port for each port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.compose: Compose = read_compose()
        self.ports = {port: free_port() for ports in _PORTS.values() for port in ports}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        make_passwords(folder / "secrets", f"127.0.0.1:{self.ports[4222]}")
        (folder / "data").mkdir()

    def home(self, name: str) -> Path:
        """The home folder of a service."""
        return self.folder / "homes" / name

    def log(self, name: str) -> str:
        """What a service has printed."""
        return (self.folder / f"{name}.log").read_text(encoding="utf-8")

    def url(self, user: str) -> str:
        """Where a NATS user connects, with its password."""
        return read_env_file(self.folder / "secrets" / f"{user}.env")["HEADWAY_NATS_URL"]

    @contextmanager
    def running(self, name: str) -> Iterator[None]:
        """One service, healthy, for the length of the block."""
        self._mount(name, self.compose.services[name])
        try:
            self._start(name)
            yield
        finally:
            self._stop(name)

    def restart(self, name: str) -> None:
        """End one service and start it again."""
        self._stop(name)
        self._start(name)

    def _start(self, name: str) -> None:
        service = self.compose.services[name]
        environ, command = self._environ(name, service), self._translated(name, service.command)
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(command, env=environ, stdout=log, stderr=log, cwd=self.home(name))
        self._wait_until_healthy(name, service, environ)

    def _stop(self, name: str) -> None:
        process = self.processes.get(name)
        if process is not None:
            process.terminate()
            process.wait(timeout=20)

    def is_healthy(self, name: str) -> bool:
        """Run the health check of a service, as the engine does."""
        service = self.compose.services[name]
        return self._check(name, service, self._environ(name, service)).returncode == 0

    def _check(self, name: str, service: ComposeService, environ: dict[str, str]) -> "subprocess.CompletedProcess[str]":
        arguments = self._translated(name, service.healthcheck.test[2:])
        check = [sys.executable, str(DEPLOY / "healthcheck.py"), *arguments]
        return subprocess.run(check, env=environ, capture_output=True, text=True, check=False)

    def _wait_until_healthy(self, name: str, service: ComposeService, environ: dict[str, str]) -> None:
        deadline = time.perf_counter() + _HEALTHY_LIMIT_SECONDS
        while (checked := self._check(name, service, environ)).returncode != 0:
            assert self.processes[name].poll() is None, f"{name} ended:\n{self.log(name)}"
            assert time.perf_counter() < deadline, f"{name}: {checked.stderr}\n{self.log(name)}"
            time.sleep(0.1)

    def _environ(self, name: str, service: ComposeService) -> dict[str, str]:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(_OURS)}
        given = {key: self._translate(name, value) for key, value in service.environment.items()}
        secrets = read_env_file(self.folder / service.env_file) if service.env_file else {}
        return inherited | {"HEADWAY_HOME": str(self.home(name))} | secrets | given

    def _mount(self, name: str, service: ComposeService) -> None:
        for volume, place in [mount.split(":")[:2] for mount in service.volumes]:
            source = self.folder / ("volumes/" + volume if volume in self.compose.volumes else volume)
            source.mkdir(mode=0o700, parents=True, exist_ok=True)
            if place.startswith(HOME):
                target = Path(self._translate(name, place))
                target.parent.mkdir(parents=True, exist_ok=True)
                target.symlink_to(source)
        self.home(name).mkdir(parents=True, exist_ok=True)

    def _translated(self, name: str, words: list[str]) -> list[str]:
        programs = {"python": sys.executable, "nats-server": nats_server_path()}
        translated = [programs.get(word) or self._translate(name, word) for word in words]
        if words[:1] == ["nats-server"]:
            translated += ["--port", str(self.ports[4222]), "--http_port", str(self.ports[8222])]
        return translated

    def _translate(self, name: str, text: str) -> str:
        """One word of the file as it must read without containers."""
        text = text.replace("/etc/headway/nats", str(DEPLOY / "nats")).replace(HOME, str(self.home(name)))
        for host in ("0.0.0.0", *_PORTS):
            for port, here in self.ports.items():
                text = text.replace(f"{host}:{port}", f"127.0.0.1:{here}")
        for port, here in self.ports.items():
            text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{here}")
        return {"/data": str(self.folder / "data"), "0.0.0.0": "127.0.0.1"}.get(text, text)


@contextmanager
def running_stack(folder: Path, notifier_lines: Mapping[str, str]) -> Iterator[Stack]:
    """Every service, healthy, for the length of the block.

    Args:
        folder: for all of them.
        notifier_lines: what a person writes into secrets/notifier.env.
    """
    stack = Stack(folder)
    with (folder / "secrets" / "notifier.env").open("a", encoding="utf-8") as secrets:
        secrets.writelines(f"{name}={value}\n" for name, value in notifier_lines.items())
    with ExitStack() as started:
        for name, _ in stack.compose.in_order():
            started.enter_context(stack.running(name))
        yield stack
