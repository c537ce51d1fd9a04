#!/usr/bin/env python3
"""Exits with 0 when what it is asked about is healthy, and with 1 and a sentence when it is not.

- `headway-health`: every service that has announced itself below HEADWAY_HOME, and at least one.
- `headway-health HOST:PORT [SERVICE]`: one gRPC server, or one service of it.
- `headway-health http://HOST:PORT/PATH`: an address that answers 200, such as nats-server's /healthz.
"""

import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2

LIMIT_SECONDS = 3.0


class Unhealthy(Exception):
    """What is wrong, in a sentence."""


def check(arguments: list[str]) -> None:
    if not arguments:
        check_announced(Path(os.environ.get("HEADWAY_HOME", "~/.headway")).expanduser())
    elif arguments[0].startswith("http://"):
        check_http(arguments[0])
    else:
        check_grpc(arguments[0], arguments[1] if len(arguments) > 1 else "")


def check_announced(home: Path) -> None:
    """A service writes `<home>/run/<service>.json` when it serves, and removes it when it ends."""
    files = sorted((home / "run").glob("*.json"))
    if not files:
        raise Unhealthy(f"no service has announced itself in {home / 'run'}")
    for file in files:
        address: str = json.loads(file.read_text(encoding="utf-8"))["address"]
        check_grpc(address.replace("0.0.0.0", "127.0.0.1").replace("[::]", "[::1]"), "")


def check_http(url: str) -> None:
    try:
        with urllib.request.urlopen(url, timeout=LIMIT_SECONDS):  # noqa: S310 - http:// only
            return
    except (OSError, urllib.error.URLError) as error:
        raise Unhealthy(f"{url}: {error}") from error


def check_grpc(address: str, service: str) -> None:
    with grpc.insecure_channel(address) as channel:
        ask = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        try:
            answer = ask(health_pb2.HealthCheckRequest(service=service), timeout=LIMIT_SECONDS)
        except grpc.RpcError as error:
            raise Unhealthy(f"{address} {service}: {error}") from error
    if answer.status != health_pb2.HealthCheckResponse.SERVING:
        status = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
        raise Unhealthy(f"{address} {service}: {status}")


if __name__ == "__main__":
    try:
        check(sys.argv[1:])
    except Unhealthy as problem:
        sys.exit(f"unhealthy: {problem}")
