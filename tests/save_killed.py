"""`python -m tests.save_killed FOLDER`: saves a blob again and again, killed at one disk call more each time.

Run as a process of its own, because it forks. Prints one JSON line a kill: the call it died at, and what was left.
"""

import json
import os
import random
import sys
from collections.abc import Callable
from pathlib import Path

from gateway.blobs.settings import BlobSettings
from gateway.blobs.store import BlobStore
from gateway.blobs.upload import Upload, UploadRequest
from headway.contract.digests import sha256_of
from headway.v1.blobs_service_pb2 import BLOB_ENCODING_IDENTITY

CALLS = ("open", "write", "fsync", "fchmod", "replace", "rename", "mkdir", "close", "unlink")
CONTENT = random.Random(7).randbytes(300_000)
KILLED = 9


def request(offset_bytes: int) -> UploadRequest:
    return UploadRequest(
        project="demo",
        digest=sha256_of(CONTENT),
        size_bytes=len(CONTENT),
        encoding=BLOB_ENCODING_IDENTITY,
        offset_bytes=offset_bytes,
    )


def save(folder: Path) -> None:
    """What one upload call does, from wherever an earlier one left off."""
    store = BlobStore(folder, BlobSettings())
    store.prepare()
    if store.find("demo", sha256_of(CONTENT)) is not None:
        store.settle("demo", [sha256_of(CONTENT)])
        return
    offset = store.kept_size("demo", sha256_of(CONTENT))
    upload = Upload(store, request(offset))
    upload.begin()
    for start in range(offset, len(CONTENT), 100_000):
        upload.write([CONTENT[start : start + 100_000]])
    upload.finish()


def killed_at(number: int, *, after: bool) -> Callable[[], str]:
    """From now on this process dies at its disk call of this number; returns who tells the calls so far."""
    num_calls = 0

    def wrap(name: str) -> None:
        real = getattr(os, name)

        def call(*arguments: object, **keywords: object) -> object:
            nonlocal num_calls
            num_calls += 1
            if num_calls == number and not after:
                os._exit(KILLED)
            result = real(*arguments, **keywords)
            if num_calls == number:
                os._exit(KILLED)
            return result

        setattr(os, name, call)

    for name in CALLS:
        wrap(name)
    return lambda: str(num_calls)


def main(root: Path) -> None:
    number = 0
    is_over = False
    while not is_over:
        number += 1
        for after in (False, True):
            folder = root / f"{number}-{after}"
            child = os.fork()
            if child == 0:
                killed_at(number, after=after)
                save(folder)
                os._exit(0)
            is_over = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
            store = BlobStore(folder, BlobSettings())
            visible = store.find("demo", sha256_of(CONTENT))
            is_whole = visible is None or store.read("demo", sha256_of(CONTENT), len(CONTENT)) == CONTENT
            save(folder)
            is_repaired = store.read("demo", sha256_of(CONTENT), len(CONTENT)) == CONTENT
            left = [path.name for path in folder.rglob("*") if path.suffix in {".part", ".kept"}]
            told = {"call": number, "after": after, "whole": is_whole, "repaired": is_repaired, "left": left}
            print(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
