"""The commands that listen, beside all that `headway up` starts: found by themselves, on a job that is trained."""

import asyncio
import json
from collections.abc import Generator
from pathlib import Path

import nats
import pytest

from headway.cli.tour.material import write_material
from tests.e2e.cli_stack import Headway, up, wait_for_line

LIFE = ["queued", "started", "evaluated", "completed"]


@pytest.fixture(scope="module")
def headway(tmp_path_factory: pytest.TempPathFactory) -> Generator[Headway]:
    """One running set of services for all tests of this file."""
    headway = Headway(tmp_path_factory.mktemp("home"))
    with up(headway):
        yield headway


@pytest.fixture(scope="module")
def job(headway: Headway, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The id of a job that was trained while somebody listened."""
    material = write_material(tmp_path_factory.mktemp("job"))
    listener = headway.start("on", "completed", "--once", "--exec", 'echo "$HEADWAY_EVENT_JOB"')
    wait_for_line(listener, "Ctrl-C ends")
    submitted = headway("submit", str(material.job), "--set", "tabular_train.epochs=2", "--wait", "-o", "name")
    assert submitted.returncode == 0, submitted.stderr
    name = submitted.stdout.strip().rpartition("/")[2]
    told, said = listener.communicate(timeout=60)
    assert (listener.returncode, told.strip()) == (0, name), said
    return name


def names(lines: str) -> list[str]:
    return [json.loads(line)["type"].split(".")[2] for line in lines.splitlines()]


def test_a_job_can_be_tailed_to_its_end_and_replayed(headway: Headway, job: str) -> None:
    tail = headway("events", "tail", "--job", job, "--exit-at-end", "-o", "jsonl")
    assert (tail.returncode, names(tail.stdout)) == (0, LIFE)
    replay = headway("replay", job, "--speed", "max", "-o", "json")
    assert (replay.returncode, replay.stdout) == (0, tail.stdout)


def test_a_command_can_pull_the_model_that_was_registered(headway: Headway, job: str, tmp_path: Path) -> None:
    command = " ".join(headway.command("models", "pull", '"$HEADWAY_EVENT_MODEL"', "--to", str(tmp_path / "model")))
    hooked = headway("on", "model.registered", "--job", job, "--since", "10m", "--once", "--exec", command)
    assert hooked.returncode == 0, hooked.stderr
    assert (tmp_path / "model" / "model.safetensors").is_file()


def test_a_job_that_nobody_knows_is_exit_code_3(headway: Headway) -> None:
    replay = headway("replay", "j" + "a" * 25)
    assert (replay.returncode, replay.stdout) == (3, "")
    assert "NOT_FOUND" in replay.stderr


def test_a_job_whose_events_are_gone_is_said_to_be_known_still(headway: Headway, job: str) -> None:
    url = json.loads((headway.home / "run.json").read_text(encoding="utf-8"))["nats_url"]

    async def purge() -> None:
        connection = await nats.connect(url)
        subject = json.dumps({"filter": f"trainer.train.*.v1.*.{job}"}).encode()
        await connection.request("$JS.API.STREAM.PURGE.EVENTS", subject, timeout=10)
        await connection.close()

    kept = headway("replay", job, "--speed", "max", "-o", "json").stdout.splitlines()
    asyncio.run(purge())
    replay = headway("replay", job)
    asyncio.run(restore(url, kept))
    assert (replay.returncode, replay.stdout) == (3, "")
    assert "are gone: they are kept for 30 days" in replay.stderr
    assert "jobs get" in replay.stderr


async def restore(url: str, bodies: list[str]) -> None:
    """Put events back, so that the tests of this file may run in any order."""
    connection = await nats.connect(url)
    for body in bodies:
        event = json.loads(body)
        data = event["data"]
        await connection.request(f"{event['type']}.{data['project']}.{data['run_id']}", body.encode(), timeout=10)
    await connection.close()
