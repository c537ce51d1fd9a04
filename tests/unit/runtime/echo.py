"""A service with one method of each kind, for tests of servers and channels."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, wrappers_pb2
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import StringValue

from headway.contract.errors import InvalidKey, MissingKey
from headway.runtime.grpc_server import GrpcServer, ServerOptions
from headway.runtime.principal import Principal

SERVICE = "headway.testing.Echo"
METHODS = ("Unary", "Down", "Up", "Both")
SCOPES: Mapping[str, frozenset[str]] = {f"/{SERVICE}/{method}": frozenset({"read"}) for method in METHODS}
Context = grpc.aio.ServicerContext[StringValue, StringValue]
Answer = Callable[[StringValue], object]


def everybody(*, scopes: tuple[str, ...] = ("read",)) -> Principal:
    return Principal(key_id="k1", user_id="u1", scopes=frozenset(scopes), projects=frozenset({"p"}))


@dataclass
class Doorman:
    """Knows one key."""

    principal: Principal = field(default_factory=everybody)
    asked: list[str | None] = field(default_factory=list)

    async def authenticate(self, key: str | None) -> Principal:
        self.asked.append(key)
        if key is None:
            raise MissingKey("The call carries no key.")
        if key != "good":
            raise InvalidKey("The key is not valid.")
        return self.principal


class Echo:
    """Answers with what it is sent; `act` may do anything first."""

    def __init__(self, *, down_writes: bool = False) -> None:
        self.down_writes = down_writes
        self.act: Callable[[str], object] = lambda text: text
        self.ended: list[str] = []
        self.written = 0
        self.begun = 0

    async def unary(self, request: StringValue, context: Context) -> StringValue:
        self.begun += 1
        try:
            return StringValue(value=str(await self._do(request.value)))
        finally:
            self.ended.append("unary")

    async def down(self, request: StringValue, context: Context) -> AsyncIterator[StringValue]:
        self.begun += 1
        try:
            for part in request.value.split():
                yield StringValue(value=str(await self._do(part)))
                self.written += 1
        finally:
            self.ended.append("down")

    async def down_by_writing(self, request: StringValue, context: Context) -> None:
        for part in request.value.split():
            await context.write(StringValue(value=str(await self._do(part))))

    async def up(self, requests: AsyncIterator[StringValue], context: Context) -> StringValue:
        return StringValue(value=" ".join([str(await self._do(request.value)) async for request in requests]))

    async def both(self, requests: AsyncIterator[StringValue], context: Context) -> AsyncIterator[StringValue]:
        async for request in requests:
            yield StringValue(value=str(await self._do(request.value)))

    async def _do(self, text: str) -> object:
        done = self.act(text)
        return await done if asyncio.iscoroutine(done) else done


def add_to_server(servicer: Echo, server: grpc.aio.Server) -> None:
    read, write = StringValue.FromString, StringValue.SerializeToString
    down = servicer.down_by_writing if servicer.down_writes else servicer.down
    handlers = {
        "Unary": grpc.unary_unary_rpc_method_handler(servicer.unary, read, write),
        "Down": grpc.unary_stream_rpc_method_handler(down, read, write),
        "Up": grpc.stream_unary_rpc_method_handler(servicer.up, read, write),
        "Both": grpc.stream_stream_rpc_method_handler(servicer.both, read, write),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))


def descriptor() -> ServiceDescriptor:
    pool = descriptor_pool.DescriptorPool()
    wrappers = descriptor_pb2.FileDescriptorProto()
    wrappers_pb2.DESCRIPTOR.CopyToProto(wrappers)
    pool.Add(wrappers)
    echo = descriptor_pb2.FileDescriptorProto(
        name="headway/testing/echo.proto", package="headway.testing", dependency=[wrappers.name], syntax="proto3"
    )
    service = echo.service.add(name="Echo")
    for method in METHODS:
        string = ".google.protobuf.StringValue"
        service.method.add(
            name=method,
            input_type=string,
            output_type=string,
            client_streaming=method in {"Up", "Both"},
            server_streaming=method in {"Down", "Both"},
        )
    pool.Add(echo)
    return pool.FindServiceByName(SERVICE)


@asynccontextmanager
async def serving(
    echo: Echo, doorman: Doorman | None = None, options: ServerOptions | None = None, listen: str = "127.0.0.1:0"
) -> AsyncIterator[GrpcServer]:
    server = GrpcServer(listen, authenticator=doorman or Doorman(), scopes=SCOPES, options=options)
    server.add(add_to_server, echo, descriptor())
    async with server:
        yield server


class EchoStub:
    """Calls the service over any channel."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        write, read = _serialize, StringValue.FromString
        self.unary = channel.unary_unary(f"/{SERVICE}/Unary", write, read)
        self.unknown = channel.unary_unary(f"/{SERVICE}/Unknown", write, read)
        self.down = channel.unary_stream(f"/{SERVICE}/Down", write, read)
        self.up = channel.stream_unary(f"/{SERVICE}/Up", write, read)
        self.both = channel.stream_stream(f"/{SERVICE}/Both", write, read)


def _serialize(message: Message | bytes) -> bytes:
    return message if isinstance(message, bytes) else message.SerializeToString()


GOOD = (("x-api-key", "good"),)


def bare_channel(server: GrpcServer) -> AbstractAsyncContextManager[grpc.aio.Channel]:
    """A channel that adds nothing to a call."""
    return grpc.aio.insecure_channel(server.address)
