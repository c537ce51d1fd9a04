"""Asks a server for its health; the stub of the library has no types."""

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse


async def serving_status(channel: grpc.aio.Channel, service: str, *, timeout_seconds: float = 5.0) -> int:
    """What the health check says about a service, the empty name being the server: a `ServingStatus`."""
    check = channel.unary_unary(
        "/grpc.health.v1.Health/Check",
        request_serializer=HealthCheckRequest.SerializeToString,
        response_deserializer=HealthCheckResponse.FromString,
    )
    answer = await check(HealthCheckRequest(service=service), timeout=timeout_seconds)
    return answer.status
