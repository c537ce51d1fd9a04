"""Generated code adds its methods twice; a server must serve them once."""

import asyncio

import grpc
from google.protobuf.wrappers_pb2 import StringValue

from headway.runtime.named_handlers import NamedHandlers
from tests.unit.runtime.echo import GOOD, Echo, EchoStub, bare_channel, serving

NUM_METHODS = 40


async def test_a_server_keeps_no_task_for_each_method() -> None:
    handlers = {
        f"M{number}": grpc.unary_unary_rpc_method_handler(
            lambda request, _: request, StringValue.FromString, StringValue.SerializeToString
        )
        for number in range(NUM_METHODS)
    }
    server = NamedHandlers(grpc.aio.server(), lambda _, handler: handler)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("many.Methods", handlers),))
    server.add_registered_method_handlers("many.Methods", handlers)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary("/many.Methods/M1", StringValue.SerializeToString, StringValue.FromString)
        assert (await call(StringValue(value="one"))).value == "one"
        num_tasks = len(asyncio.all_tasks())
    await server.stop(None)

    assert num_tasks < NUM_METHODS / 2, "the library waits on all of them anew for every call"


async def test_the_handlers_of_generated_code_are_served() -> None:
    async with serving(Echo()) as server, bare_channel(server) as channel:
        assert (await EchoStub(channel).unary(StringValue(value="one"), metadata=GOOD)).value == "one"
