"""A trainer host as a process, with the toy for its recipe."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from headway.contract.ids import JobName, new_job_id
from headway.runtime.keys import make_key, write_key_file
from headway.testing.toy_recipe import TOY_KIND, TOY_RECIPE, ToySpec
from headway.v1.job_specs_pb2 import EXECUTION_MODE_LOCAL
from headway.v1.jobs_pb2 import PinnedInput
from headway.v1.scheduler_service_pb2 import AttemptOrder

NO_TORCH = "raise ImportError('these tests do without torch')\n"
"""Put in torch's place, so that a child is ready within half a second."""


class HostProcess:
    """`python -m trainer_host` with a home of its own."""

    def __init__(self, home: Path, scheduler: str, gateway: str, **settings: str) -> None:
        self.home = home
        self.log_path = home.parent / "trainer_host.log"
        self._settings = {"SCHEDULER_ADDRESS": scheduler, "GATEWAY_ADDRESS": gateway, **settings}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def host_dir(self) -> Path:
        return self.home / "hosts" / "h1"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        key_path = self.home / "keys" / "local.key"
        if not key_path.exists():
            write_key_file(key_path, make_key().text)
        without_torch = self.home.parent / "no_torch"
        without_torch.mkdir(exist_ok=True)
        (without_torch / "torch.py").write_text(NO_TORCH)
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "trainer_host"], env=self._environment(without_torch), stderr=log
            )

    def _environment(self, without_torch: Path) -> Mapping[str, str]:
        settings = {
            "HOST_ID": "h1",
            "LISTEN": "127.0.0.1:0",
            "RECIPES": f'["{TOY_RECIPE}"]',
            "DELIVERY_WAIT_MAX_SECONDS": "2",
            **self._settings,
        }
        return {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(without_torch), str(Path.cwd())]),
            "HEADWAY_HOME": str(self.home),
            "HEADWAY_TESTING": "1",
            "HEADWAY_LOG_LEVEL": "debug",
            **{f"HEADWAY_TRAINER_HOST__{name}": value for name, value in settings.items()},
        }

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        """As a crash of the agent."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self, timeout_seconds: float = 10) -> int:
        """As a graceful end; returns the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(timeout_seconds)

    def wait(self, timeout_seconds: float = 10) -> int:
        """Its exit code."""
        assert self._process is not None
        return self._process.wait(timeout_seconds)

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def log(self) -> str:
        return self.log_path.read_text()


@contextmanager
def running_host(home: Path, scheduler: str, gateway: str, **settings: str) -> Iterator[HostProcess]:
    home.mkdir(parents=True, exist_ok=True)
    host = HostProcess(home, scheduler, gateway, **settings)
    host.start()
    try:
        yield host
    finally:
        host.close()


def toy_order(
    *, inputs: tuple[PinnedInput, ...] = (), attempt: int = 1, job_id: str = "", **toy: float | str | bool
) -> AttemptOrder:
    """An order to run the toy."""
    return AttemptOrder(
        job=JobName("p", job_id or new_job_id()).name,
        attempt=attempt,
        spec=ToySpec.model_validate(toy).job_spec(),
        kind=TOY_KIND,
        inputs=inputs,
        mode=EXECUTION_MODE_LOCAL,
        user_id="me",
    )
