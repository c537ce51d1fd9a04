"""A small file that says which store the gateway's files belong to: it is read when the projection cannot be."""

import json
from pathlib import Path

from headway.runtime.disk import fsync_path

_NAME = "store.json"


def read_store_id(folder: Path) -> str:
    """The store that the files of a gateway's folder belong to; empty when they met none yet."""
    try:
        written = json.loads((folder / _NAME).read_text(encoding="utf-8"))
        return str(written["store_id"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def write_store_id(folder: Path, store_id: str) -> None:
    """Remember the store, on disk on return. Nothing is written when it is remembered already."""
    if read_store_id(folder) == store_id:
        return
    draft = folder / f"{_NAME}.draft"
    draft.write_text(json.dumps({"store_id": store_id}), encoding="utf-8")
    fsync_path(draft)
    draft.replace(folder / _NAME)
    fsync_path(folder)
