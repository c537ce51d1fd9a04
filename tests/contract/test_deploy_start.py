"""What deploy/ describes runs: every command of compose.yaml, as its own NATS user, from the submission to the message.

No engine is needed: the same commands run as processes of this machine, and the same health checks decide.
"""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import nats
import pytest
from sklearn.datasets import load_iris

from headway.client.client import HeadwayClient
from headway.runtime.nats_settling import settle
from headway.testing.discord.server import FakeDiscord, fake_discord
from headway.testing.eventually import eventually
from headway.testing.webhooks import WebhookReceiver, webhook_receiver
from headway.v1.job_specs_pb2 import JobSpec, TabularTrainSpec
from headway.v1.jobs_pb2 import JOB_STATE_SUCCEEDED
from tests.contract.compose_locally import Stack, running_stack
from tests.contract.deployment import DEPLOY

pytestmark = pytest.mark.timeout(300)  # Five processes, one of which imports torch, on a machine that may be busy.


async def submit_iris(stack: Stack) -> str:
    """Train on a file below the mounted data folder; the job's id."""
    table = load_iris(as_frame=False)
    lines = [",".join(map(str, [*row, label])) for row, label in zip(table.data, table.target, strict=True)]
    (stack.folder / "data" / "iris.csv").write_text("a,b,c,d,target\n" + "\n".join(lines) + "\n", encoding="utf-8")
    training = TabularTrainSpec(data_path="iris.csv", target_column="target", epochs=3, model_id="iris")
    key = (stack.home("trainer-host") / "keys" / "local.key").read_text(encoding="utf-8").strip()
    async with HeadwayClient.connect(f"127.0.0.1:{stack.ports[7070]}", key) as client:
        job = await client.jobs.create(JobSpec(display_name="iris", tabular_train=training))
        done = await client.jobs.wait(job.name)
    assert done.state == JOB_STATE_SUCCEEDED, done.failure
    return done.name.rpartition("/")[2]


async def test_everything_starts_and_trains_as_its_own_user_and_tells_no_password(tmp_path: Path) -> None:
    """One test, because a stack takes as long to start as all of this takes to look at."""
    async with webhook_receiver() as receiver, fake_discord() as discord:
        lines = {
            "DISCORD_TOKEN": discord.token,
            "DISCORD_OWNER_ID": str(discord.owner_id),
            "HEADWAY_NOTIFIER__DISCORD__API_BASE": discord.api_base,
            "HEADWAY_NOTIFIER__DISCORD__GATEWAY_URL": discord.gateway_url,
            "HEADWAY_NOTIFIER__WEBHOOK__URL": receiver.url,
            "HEADWAY_NOTIFIER__WEBHOOK__SECRET": receiver.secret,
        }
        with running_stack(tmp_path, lines) as stack:
            await look_at(stack, Owner(receiver, discord))


@dataclass(frozen=True, slots=True)
class Owner:
    """Where messages arrive."""

    receiver: WebhookReceiver
    discord: FakeDiscord

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self.receiver.secret, self.receiver.url, self.discord.token)

    def was_told(self, job: str) -> bool:
        """Whether the end of a job has arrived in both places."""
        told = f"Training completed: projects/default/jobs/{job}"
        by_webhook = any(told in str(taken.content) for taken in self.receiver.deliveries)
        return by_webhook and any(
            job in message.text and "Training completed" in message.text for message in self.discord.pushed
        )


async def look_at(stack: Stack, owner: Owner) -> None:
    assert [name for name in stack.compose.services if not stack.is_healthy(name)] == []

    subscriber = await nats.connect(stack.url("subscriber"))
    heard = await subscriber.subscribe("trainer.>")
    await settle(subscriber)
    await train_and_be_told(stack, owner)
    events = {(await heard.next_msg(timeout=5)).subject.split(".")[2] for _ in range(heard.pending_msgs)}
    assert events >= {"queued", "started", "evaluated", "completed", "registered"}
    await subscriber.close()

    # And again behind a restart of nats-server: its memory streams are gone, every feed is opened anew.
    stack.restart("nats")
    await train_and_be_told(stack, owner)

    # nats-server names every right that was missed; a service would only see a request without an answer.
    assert [line for line in stack.log("nats").splitlines() if "Violation" in line] == []

    # P30.
    secrets = "".join(path.read_text(encoding="utf-8") for path in (stack.folder / "secrets").iterdir())
    passwords = set(re.findall(r"p[0-9a-f]{48}", secrets))
    logs = "".join(stack.log(name) for name in stack.compose.services)
    assert len(passwords) == 4
    assert [secret for secret in (*passwords, *owner.secrets) if secret in logs] == []

    notifier = f"127.0.0.1:{stack.ports[7073]}"
    assert (check_health(notifier), check_health(notifier, "headway.no.such")) == (0, 1)


async def train_and_be_told(stack: Stack, owner: Owner) -> None:
    job = await submit_iris(stack)
    told = f"Training completed: projects/default/jobs/{job}"
    await eventually(lambda: told in stack.log("notifier"), timeout_seconds=20.0)
    await eventually(lambda: owner.was_told(job), timeout_seconds=20.0)


def check_health(*arguments: str, home: Path | None = None) -> int:
    """Run what the containers run."""
    environ = {"HEADWAY_HOME": str(home)} if home is not None else {}
    command = [sys.executable, str(DEPLOY / "healthcheck.py"), *arguments]
    checked = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert checked.stderr.startswith("unhealthy: ") == (checked.returncode != 0), checked.stderr
    return checked.returncode


def test_what_is_gone_or_was_never_there_is_not_healthy(tmp_path: Path) -> None:
    assert check_health("127.0.0.1:9") == 1
    assert check_health("http://127.0.0.1:9/healthz") == 1
    assert check_health(home=tmp_path) == 1
