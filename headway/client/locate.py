"""Where the gateway is and which key opens it: arguments, then environment, then what runs under the home folder."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from headway.runtime.keys import read_key_file

DEFAULT_ADDRESS = "127.0.0.1:7070"
DEFAULT_PROJECT = "default"
LOCAL_KEY = Path("keys", "local.key")
LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})
# A service that listens on every interface is reached from the same machine through the loopback one.
EVERY_INTERFACE = frozenset({"0.0.0.0", "[::]"})


@dataclass(frozen=True, slots=True)
class Target:
    """What a client connects to.

    Attributes:
        address: host:port of the gateway.
        key: what to send as `x-api-key`; None sends none.
        home: the folder that holds keys and run files.
        is_running: whether a live process under `home` has said that it serves `address`.
    """

    address: str
    key: str | None
    home: Path
    is_running: bool


def locate(
    address: str | None = None,
    key: str | None = None,
    home: Path | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Target:
    """Find the gateway.

    Args:
        address: host:port; None looks at `HEADWAY_ADDRESS`, then at the run file of the home folder, then takes
            127.0.0.1:7070.
        key: None looks at `HEADWAY_API_KEY`, then at the file that `HEADWAY_API_KEY_FILE` names, then, for a gateway on
            this machine, at the home folder's local key. The local key is never sent to another machine unasked.
        home: None takes `HEADWAY_HOME` or `~/.headway`.
        environ: where the variables are looked up.

    Raises:
        InvalidKey: a key file is missing, malformed or readable by others; the message says what to do.
    """
    home = home or home_folder(environ)
    running = supervised_address(home) or running_address(home, "gateway")
    found = address or environ.get("HEADWAY_ADDRESS") or running or DEFAULT_ADDRESS
    return Target(found, key or _find_key(found, home, environ), home, is_running=found == running)


def home_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder that everything of this machine lies under: `HEADWAY_HOME` or `~/.headway`."""
    return Path(environ.get("HEADWAY_HOME") or Path.home() / ".headway").expanduser().absolute()


def named_file(variable: str, environ: Mapping[str, str] = os.environ) -> Path | None:
    """The file that a variable names; None when it is not set."""
    named = environ.get(variable)
    return Path(named).expanduser() if named else None


def supervised_address(home: Path) -> str | None:
    """host:port of the gateway that a live `headway up` keeps on this folder, in the moment of a restart too."""
    try:
        written = json.loads((home / "run.json").read_text(encoding="utf-8"))
        pid, address = int(written["pid"]), str(written["gateway_address"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return address if _is_alive(pid) else None


def running_address(home: Path, service: str) -> str | None:
    """host:port that a live service has written into its run file; None when none lives."""
    try:
        written = json.loads((home / "run" / f"{service}.json").read_text(encoding="utf-8"))
        pid, address = int(written["pid"]), str(written["address"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return _reachable(address) if _is_alive(pid) else None


def is_loopback(address: str) -> bool:
    """Whether host:port is on this machine."""
    return address.rpartition(":")[0] in LOOPBACK_NAMES


def _find_key(address: str, home: Path, environ: Mapping[str, str]) -> str | None:
    if given := environ.get("HEADWAY_API_KEY"):
        return given
    if named := named_file("HEADWAY_API_KEY_FILE", environ):
        return read_key_file(named)
    local = home / LOCAL_KEY
    return read_key_file(local) if is_loopback(address) and local.is_file() else None


def _reachable(address: str) -> str:
    host, _, port = address.rpartition(":")
    return f"127.0.0.1:{port}" if host in EVERY_INTERFACE else address


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
