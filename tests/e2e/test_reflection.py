"""A client that knows nothing of headway lists and calls its services by reflection."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from headway.testing.cluster import Cluster

GRPCURL = Path(sys.executable).with_name("grpcurl")


def grpcurl(cluster: Cluster, service: str, *arguments: str) -> str:
    key = (cluster.home / "keys" / "local.key").read_text().strip()
    command = [str(GRPCURL), "-plaintext", "-H", f"x-api-key: {key}"]
    done = subprocess.run(
        [*command, *arguments[:-1], cluster.address(service), arguments[-1]],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        ("gateway", {"JobService", "DatasetService", "BlobService", "ResultService", "ModelService", "SystemService"}),
        ("scheduler", {"SchedulerService"}),
        ("trainer_host", {"TrainerHostService"}),
    ],
)
def test_every_service_is_listed_and_healthy(cluster: Cluster, service: str, expected: set[str]) -> None:
    assert shutil.which(GRPCURL), "grpcurl comes with the dev extra"
    listed = set(grpcurl(cluster, service, "list").split())
    assert {f"headway.v1.{name}" for name in expected} <= listed
    assert "grpc.health.v1.Health" in listed
    assert json.loads(grpcurl(cluster, service, "grpc.health.v1.Health/Check"))["status"] == "SERVING"


def test_a_method_is_called_by_reflection(cluster: Cluster) -> None:
    answer = json.loads(grpcurl(cluster, "gateway", "headway.v1.SystemService/ListHosts"))
    assert answer["hosts"][0]["name"] == "hosts/local"
