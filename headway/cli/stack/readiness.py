"""How a service is seen to be ready: nats-server by its monitor, the others by their run file and health check.

The fake Discord speaks no gRPC; it writes its run file once it listens.
"""

import json
from pathlib import Path

import grpc.aio
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from headway.cli.stack.services import FAKE_DISCORD, NATS, ServicePlan
from headway.runtime.channel import ChannelOptions, open_channel
from headway.runtime.durability import is_healthy

_CHECK_SECONDS = 2.0


async def is_ready(plan: ServicePlan, pid: int, *, run_folder: Path, monitor_url: str) -> bool:
    """Whether the process `pid` of a service serves now."""
    if plan.name == NATS:
        return await is_healthy(monitor_url)
    address = announced_address(run_folder / f"{plan.name}.json", pid)
    if plan.name == FAKE_DISCORD:
        return address is not None
    return address is not None and (not address or await is_serving(address))


def announced_address(run_file: Path, pid: int) -> str | None:
    """What a process wrote into its run file: its address, empty when it serves none; None when it has not written."""
    try:
        written = json.loads(run_file.read_text(encoding="utf-8"))
        return str(written.get("address", "")) if written["pid"] == pid else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


async def is_serving(address: str, ca_file: Path | None = None, service: str = "") -> bool:
    """Whether the standard health check of a gRPC server, or of one service of it, answers SERVING.

    Over TLS with a certificate authority.
    """
    async with open_channel(address, options=ChannelOptions(ca_file=ca_file)) as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=HealthCheckRequest.SerializeToString,
            response_deserializer=HealthCheckResponse.FromString,
        )
        try:
            answer = await check(HealthCheckRequest(service=service), timeout=_CHECK_SECONDS)
        except grpc.aio.AioRpcError:
            return False
    return bool(answer.status == HealthCheckResponse.SERVING)
