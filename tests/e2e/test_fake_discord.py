"""`headway up --fake-discord` and `headway dm`: the bot without an account, as anybody can try it."""

import json
import os
import signal
import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest

from headway.cli.tour.material import Material, write_material
from headway.testing.eventually import eventually
from tests.e2e.cli_stack import Headway, up

LONG = tuple(
    word
    for setting in ("epochs=500", "batch_size=1", "hidden_dim=500")
    for word in ("--set", f"tabular_train.{setting}")
)
SECONDS = 60.0


@pytest.fixture(scope="module")
def headway(tmp_path_factory: pytest.TempPathFactory) -> Headway:
    return Headway(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def running(headway: Headway) -> Generator["subprocess.Popen[str]"]:
    """One set of services with a fake Discord for all tests of this file."""
    with up(headway, "--fake-discord") as process:
        yield process


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    return write_material(tmp_path_factory.mktemp("job"))


def said(headway: Headway) -> str:
    """Everything in the owner's direct messages."""
    return headway("dm", "-o", "jsonl", timeout=30).stdout


def titles_of(headway: Headway, job_id: str) -> list[str]:
    """What the owner was sent of a job, in order; the live message and answers left out."""
    changes = [json.loads(line) for line in said(headway).splitlines()]
    messages = [change["message"] for change in changes if change["kind"] == "created"]
    return [
        embed["title"]
        for message in messages
        if not message["is_silent"] and not message["interaction_id"]
        for embed in message["embeds"]
        if job_id in embed["description"]
    ]


def number_of(label: str, message: str) -> int:
    """The number of a button, as `press` takes it."""
    labels = [part["label"] for row in json.loads(message)["components"] for part in row["components"]]
    return labels.index(label) + 1


def test_the_bot_answers_a_line(headway: Headway, running: "subprocess.Popen[str]") -> None:
    answered = headway("dm", "--once", "/trainer runs", "-o", "json")
    assert answered.returncode == 0, answered.stderr
    assert json.loads(answered.stdout)["interaction_id"]


def test_a_line_that_leads_nowhere_ends_with_the_code_of_usage(
    headway: Headway, running: "subprocess.Popen[str]"
) -> None:
    refused = headway("dm", "--once", "/trainer nonsense")
    assert refused.returncode == 2
    assert "/trainer status run:" in refused.stderr


async def test_a_job_is_followed_and_cancelled_from_the_conversation(
    headway: Headway, running: "subprocess.Popen[str]", material: Material
) -> None:
    submitted = headway("submit", str(material.job), *LONG)
    assert submitted.returncode == 0, submitted.stderr
    name = submitted.stdout.strip()
    job_id = name.rpartition("/")[2]
    await eventually(lambda: "Training started" in said(headway), timeout_seconds=SECONDS)

    status = headway("dm", "--once", f"/trainer status {job_id}", "-o", "json")
    assert status.returncode == 0, status.stderr
    assert job_id in status.stdout
    asked = headway("dm", "--once", f"press {number_of('Cancel', status.stdout)}", "-o", "json")
    assert asked.returncode == 0, asked.stderr
    confirmed = headway("dm", "--once", "press 1")
    assert confirmed.returncode == 0, confirmed.stderr
    await eventually(lambda: "Training cancelled" in said(headway), timeout_seconds=SECONDS)
    assert "CANCEL" in headway("jobs", "get", name).stdout


@pytest.mark.slow
async def test_a_whole_life_is_followed_and_steered_from_the_conversation(
    headway: Headway, running: "subprocess.Popen[str]", material: Material
) -> None:
    submitted = headway(
        "submit", str(material.job), "--set", "tabular_train.epochs=300", "--set", "tabular_train.batch_size=2"
    )
    assert submitted.returncode == 0, submitted.stderr
    job_id = submitted.stdout.strip().rpartition("/")[2]
    await eventually(lambda: "Training started" in titles_of(headway, job_id), timeout_seconds=SECONDS)
    assert headway("dm", "--once", f"/trainer pause {job_id}").returncode == 0
    await eventually(lambda: "Training paused" in titles_of(headway, job_id), timeout_seconds=SECONDS)
    assert "paused" in headway("dm", "--once", f"/trainer status {job_id}").stdout
    assert headway("dm", "--once", f"/trainer resume {job_id}").returncode == 0
    await eventually(lambda: "Training completed" in titles_of(headway, job_id), timeout_seconds=2 * SECONDS)

    expected = ["queued", "started", "paused", "resumed", "started", "completed"]
    told = [title.removeprefix("Training ") for title in titles_of(headway, job_id) if title.startswith("Training")]
    assert [word for word in told if word in expected] == expected


async def test_a_fake_discord_that_dies_is_started_again_and_has_forgotten_nothing(
    headway: Headway, running: "subprocess.Popen[str]"
) -> None:
    before = said(headway).count('"created"')
    kept = headway.home / "fake_discord.json"
    await eventually(lambda: len(json.loads(kept.read_text(encoding="utf-8"))["messages"]) >= before)
    pid = headway.pid_of("fake_discord")
    os.kill(pid, signal.SIGKILL)
    await eventually(lambda: headway.pid_of("fake_discord") not in {pid, 0}, timeout_seconds=SECONDS)
    await eventually(
        lambda: headway("dm", "--once", "/trainer runs").returncode == 0, timeout_seconds=SECONDS, interval_seconds=0.5
    )
    assert said(headway).count('"created"') > before


def test_what_the_owner_sees_is_printed_and_the_end_is_in_order(tmp_path: Path) -> None:
    headway = Headway(tmp_path)
    with up(headway, "--fake-discord") as process:
        assert headway("dm", "--once", "/trainer runs").returncode == 0
        process.send_signal(signal.SIGINT)
        printed, told = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, told
    assert "fake_discord" in printed
    assert "you /trainer runs" in printed
    assert "headway dm" in told.replace(f" --home {tmp_path}", "")
    after = headway("dm", "--once", "/trainer runs")
    assert after.returncode == 6
    assert "up --fake-discord" in after.stderr
