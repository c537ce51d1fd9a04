"""The home folder, its key, the disk, the ports."""

import os
import shutil
from collections.abc import Iterator

from headway.cli.checks.verdict import Verdict, fail, note, ok
from headway.cli.stack.home import Home
from headway.cli.stack.ports import GATEWAY_PORT, is_free
from headway.cli.view.words import size_text
from headway.client.locate import LOCAL_KEY
from headway.contract.errors import InvalidKey
from headway.runtime.keys import read_key_file

_LEAST_FREE_BYTES = 2 * 1024**3


def check_machine(home: Home) -> Iterator[Verdict]:
    """What must be right before anything is started."""
    yield _folder(home)
    yield _disk(home)
    yield _key(home)
    if not home.root.exists() or not home.is_held():
        yield _port()


def _folder(home: Home) -> Verdict:
    if not home.root.exists():
        return note("home", f"{home.root} does not exist yet; `headway up` makes it")
    if not os.access(home.root, os.W_OK | os.X_OK):
        return fail("home", f"{home.root} cannot be written", f"chown -R $USER {home.root}, or --home OTHER")
    return ok("home", str(home.root))


def _disk(home: Home) -> Verdict:
    place = next(folder for folder in (home.root, *home.root.parents) if folder.exists())
    free = shutil.disk_usage(place).free
    if free < _LEAST_FREE_BYTES:
        least = size_text(_LEAST_FREE_BYTES)
        return fail("disk", f"{size_text(free)} free", f"make room; {least} is the least for data and models")
    return ok("disk", f"{size_text(free)} free")


def _key(home: Home) -> Verdict:
    path = home.root / LOCAL_KEY
    if not path.exists():
        return note("local key", "not made yet; `headway up` makes it")
    try:
        read_key_file(path)
    except InvalidKey as error:
        return fail("local key", error.message, f"chmod 600 {path}, or remove it and start `headway up` again")
    return ok("local key", f"{path}, for this user only")


def _port() -> Verdict:
    if is_free(GATEWAY_PORT):
        return ok("port", f"{GATEWAY_PORT} is free for the gateway")
    return note("port", f"{GATEWAY_PORT} is in use by something else", "headway up --port 0")
