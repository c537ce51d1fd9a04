"""What CreateJob is compared with: a bare grpc.aio handler that does one fsynced create in a key-value bucket.

No validation, no key, no interceptor: `python bare_server.py NATS_URL` prints its port and serves until it is ended.
"""

import asyncio
import sys

import grpc
import nats

from headway.v1.jobs_pb2 import Job
from headway.v1.jobs_service_pb2 import CreateJobRequest

BUCKET = "bare"
METHOD = "CreateJob"
SERVICE = "headway.bench.Bare"


async def serve(nats_url: str) -> None:
    """Serve until cancelled."""
    connection = await nats.connect(nats_url)
    stream = connection.jetstream()
    await stream.create_key_value(bucket=BUCKET)

    async def create(request: CreateJobRequest, _: "grpc.aio.ServicerContext[CreateJobRequest, Job]") -> Job:
        headers = {"Nats-Expected-Last-Subject-Sequence": "0"}
        await stream.publish(f"$KV.{BUCKET}.{request.request_id}", request.SerializeToString(), headers=headers)
        return Job(name=request.request_id)

    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    handler = grpc.unary_unary_rpc_method_handler(
        create, request_deserializer=CreateJobRequest.FromString, response_serializer=Job.SerializeToString
    )
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, {METHOD: handler})])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
