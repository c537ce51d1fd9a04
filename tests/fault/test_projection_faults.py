"""The gateway's own files: one gateway at a time (F11), and never believed when their bytes have gone bad (F13)."""

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.fault.lost_store import (
    LIMIT_SECONDS,
    listed,
    lose_store,
    projection_file,
    run_role,
    succeeded,
    until_mirrored,
)
from tests.fault.saving import SavingCluster, saving_cluster
from tests.fault.small_model import small_spec


@pytest.fixture
async def saving(tmp_path: Path) -> AsyncIterator[SavingCluster]:
    """A gateway, a scheduler, and a host whose jobs make models and wait for the test."""
    async with saving_cluster(tmp_path) as running:
        yield running


async def test_a_second_gateway_on_the_same_files_is_refused_f11(saving: SavingCluster) -> None:
    end = await run_role(saving.cluster, environ={"HEADWAY_GATEWAY__LISTEN": "127.0.0.1:0"})
    assert end.exit_code == 1
    assert "STORE_LOCKED" in end.log
    recovery = await run_role(saving.cluster, "recover")
    assert (recovery.exit_code, recovery.said["reason"]) == (1, "STORE_LOCKED")
    await saving.cluster.client().jobs.create(small_spec("still-served"))


def flip_records(path: Path) -> None:
    """Change one bit in the middle of the bytes of a record."""
    with closing(sqlite3.connect(path)) as file, file:
        job_id, data = file.execute("SELECT job_id, record FROM jobs").fetchone()
        file.execute(
            "UPDATE jobs SET record = ? WHERE job_id = ?", (data[:20] + bytes([data[20] ^ 1]) + data[21:], job_id)
        )


def raise_version(path: Path) -> None:
    """Make it a file of a later release."""
    with closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA user_version = 99")


def scribble(path: Path) -> None:
    """Write over pages of the file."""
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\x5a" * 4096 * 4)


@pytest.mark.slow
@pytest.mark.parametrize("damage", [flip_records, raise_version, scribble], ids=["bit", "version", "pages"])
async def test_a_damaged_projection_is_made_anew_from_a_whole_store_and_from_no_other_f13(
    saving: SavingCluster, damage: Callable[[Path], None]
) -> None:
    cluster = saving.cluster
    job = await succeeded(saving, "done")
    await until_mirrored(cluster, saving.bus)
    await cluster.gateway.terminate()
    damage(projection_file(cluster))
    damaged = projection_file(cluster).read_bytes()
    await cluster.gateway.restart()
    assert await listed(cluster) == {job}
    (aside,) = projection_file(cluster).parent.glob("projection.db.damaged-*Z")
    assert aside.read_bytes() == damaged, "a person may want to look at it"

    await until_mirrored(cluster, saving.bus)
    await cluster.gateway.terminate()
    damage(projection_file(cluster))
    damaged = projection_file(cluster).read_bytes()
    await lose_store(cluster)
    cluster.gateway.start()
    assert await cluster.gateway.ended(LIMIT_SECONDS) == 1
    assert "PROJECTION_DAMAGED" in cluster.gateway.log()
    assert "headway restore" in cluster.gateway.log()
    assert projection_file(cluster).read_bytes() == damaged
