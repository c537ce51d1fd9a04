"""Where a running service says who and where it is: `<home>/run/<service>.json`, for the supervisor and for tests."""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path


@asynccontextmanager
async def announced(home: Path, service: str, address: str) -> AsyncIterator[None]:
    """Announce a service that serves now, for the length of the block: `await service.enter(announced(...))`.

    Args:
        home: the home folder.
        service: its name, which names the file.
        address: `host:port` as it really listens; empty when it serves none.
    """
    path = home / "run" / f"{service}.json"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps({"pid": os.getpid(), "address": address}), encoding="utf-8")
    draft.replace(path)
    try:
        yield
    finally:
        _withdraw(path)


def _withdraw(path: Path) -> None:
    """Remove the file, unless a successor has already put its own there."""
    try:
        if json.loads(path.read_text(encoding="utf-8")).get("pid") == os.getpid():
            path.unlink(missing_ok=True)
    except (OSError, ValueError):
        return
