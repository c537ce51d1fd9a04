"""Whether what happens to jobs is told to people."""

from collections.abc import AsyncIterator
from pathlib import Path

import grpc.aio
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from headway.cli.checks.verdict import Verdict, fail, ok
from headway.client.locate import running_address
from headway.runtime.channel import ChannelOptions, open_channel

SINKS = ("log", "webhook", "discord")
"""Places that people are told at; the health check of the notifier knows those that are set up."""

_CHECK_SECONDS = 2.0
_LOG = "logs/notifier.log"


async def check_notifier(home: Path, ca_file: Path | None) -> AsyncIterator[Verdict]:
    """One line for the notifier itself, or one for each place that it tells people at."""
    address = running_address(home, "notifier")
    if address is None:
        yield fail("notifier", "does not run: events are kept, and told once it does", f"see {_LOG}, then headway up")
        return
    for sink in SINKS:
        is_well = await _is_well(address, f"headway.notifier.{sink}", ca_file)
        if is_well:
            yield ok("notifier", f"tells by {sink}")
        elif is_well is not None:
            why = f"nothing gets through by {sink}: events are kept, and told once it does"
            yield fail("notifier", why, f"{_LOG} says what to do")


async def _is_well(address: str, service: str, ca_file: Path | None) -> bool | None:
    """What the health check says of a part; None when it knows no such part."""
    async with open_channel(address, options=ChannelOptions(ca_file=ca_file)) as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=HealthCheckRequest.SerializeToString,
            response_deserializer=HealthCheckResponse.FromString,
        )
        try:
            answer = await check(HealthCheckRequest(service=service), timeout=_CHECK_SECONDS)
        except grpc.aio.AioRpcError as error:
            return None if error.code() == grpc.StatusCode.NOT_FOUND else False
    return bool(answer.status == HealthCheckResponse.SERVING)
