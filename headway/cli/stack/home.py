"""The home folder: what lies where, whose it is, and that one supervisor at a time uses it."""

import fcntl
import json
import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from headway.client.locate import LOCAL_KEY
from headway.contract.errors import Code, HeadwayError
from headway.runtime.keys import make_key, read_key_file, write_key_file


class HomeInUse(HeadwayError):
    """Another supervisor runs on this home folder."""

    reason = "HOME_IN_USE"
    code = Code.FAILED_PRECONDITION


@dataclass(frozen=True, slots=True)
class Home:
    """Paths below one home folder."""

    root: Path

    @property
    def logs(self) -> Path:
        """One log file a service."""
        return self.root / "logs"

    @property
    def run(self) -> Path:
        """What runs now: a lock, and a file a service with its pid and address."""
        return self.root / "run"

    @property
    def data(self) -> Path:
        """Where data paths of jobs start, unless another data root is given."""
        return self.root / "data"

    @property
    def run_file(self) -> Path:
        """Addresses and pids of everything that the supervisor runs."""
        return self.root / "run.json"

    def log_file(self, service: str) -> Path:
        """Where a service's lines go."""
        return self.logs / f"{service}.log"

    def make(self) -> None:
        """Make the folders, readable for this user only, and the local key when there is none."""
        for folder in (self.root, self.logs, self.run, self.data):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        key_file = self.root / LOCAL_KEY
        if key_file.exists():
            read_key_file(key_file)
        else:
            write_key_file(key_file, make_key().text)

    @contextmanager
    def held(self) -> Generator[None]:
        """Hold the folder for one supervisor.

        Raises:
            HomeInUse: another one holds it; the message says which.
        """
        # One by one: `parents` would make the root with the mode that everybody can read.
        for folder in (self.root, self.run):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # The lock goes with the process, however it ends; the file stays and says nothing by itself.
        descriptor = os.open(self.run / "up.lock", os.O_RDWR | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "r+", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise self._in_use(lock.read()) from None
            lock.truncate(0)
            lock.write(json.dumps({"pid": os.getpid()}))
            lock.flush()
            yield

    def refuse_if_held(self) -> None:
        """Raise HomeInUse when a supervisor runs on this folder now."""
        with self.held():
            pass

    def is_held(self) -> bool:
        """Whether a supervisor runs on this folder now."""
        try:
            self.refuse_if_held()
        except HomeInUse:
            return True
        return False

    def _in_use(self, holder: str) -> HomeInUse:
        try:
            pid = str(json.loads(holder)["pid"])
        except (ValueError, KeyError, TypeError):
            pid = "unknown"
        return HomeInUse(
            f"headway runs on {self.root} already (process {pid}); stop it there with Ctrl-C or `kill {pid}`, "
            "or take another folder with --home",
            metadata={"pid": pid},
        )
