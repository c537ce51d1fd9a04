"""Builds the notifier and runs it. The only file that constructs."""

import sys

from headway.contract.errors import InvalidKey
from headway.contract.subjects import EVENTS, NOTIFIER
from headway.runtime.bus import Bus
from headway.runtime.durability import check_durable
from headway.runtime.feeds import Durable, Feed
from headway.runtime.grpc_server import GrpcServer, ServerOptions
from headway.runtime.nats_bus import connect
from headway.runtime.principal import Principal
from headway.runtime.redaction import Redactor
from headway.runtime.run_file import announced
from headway.runtime.service import Service
from headway.v1.records_pb2 import NotifierRecord
from notifier.backlog import Backlog
from notifier.delivery import Delivery, Outlet
from notifier.ledger import Ledger, open_ledger
from notifier.log_sink import LogSink
from notifier.reception import Reception
from notifier.settings import NotifierSettings

CONSUMER = "notifier"
DELIVERY_HEALTH = "headway.notifier.delivery"
"""What the health check calls the way to people. An outage there turns it red; "" stays green: the process is well."""


async def serve(settings: NotifierSettings) -> int:
    """Run until told to stop; returns the exit code."""
    async with Service("notifier") as service:
        if settings.nats_monitor_url:
            await check_durable(settings.nats_monitor_url)
        bus = await service.enter(connect(settings.nats_url.get_secret_value(), "notifier", clock=service.clock))
        service.fatal_when(bus.closed, "the connection to NATS is closed for good")
        await bus.provision((NOTIFIER,), (EVENTS,))
        server = await service.enter(_server(settings))
        service.on_drain("grpc", server.drain)
        await _wire(service, bus, server, settings)
        await service.enter(announced(settings.home, "notifier", server.address))
        return await service.run()


def _server(settings: NotifierSettings) -> GrpcServer:
    options = ServerOptions(certificate_file=settings.certificate_file, key_file=settings.key_file)
    return GrpcServer(settings.notifier.listen, authenticator=_ClosedDoor(), scopes={}, options=options)


async def _wire(service: Service, bus: Bus, server: GrpcServer, settings: NotifierSettings) -> None:
    async def report_health(is_well: bool) -> None:  # noqa: FBT001 - what the hook is about
        await server.set_serving(DELIVERY_HEALTH, is_serving=is_well)

    outlet = Outlet(
        sink=LogSink(sys.stdout),
        rules=settings.notifier.batch_rules,
        redact=Redactor({"<home>": settings.home, "<data>": settings.data_path}).clean,
        report_health=report_health,
    )
    ledger = await open_ledger(bus, bus.records(NOTIFIER, NotifierRecord), service.clock)
    feed = await service.enter(await open_feed(bus, ledger))
    backlog = Backlog()
    delivery = Delivery(feed, ledger, backlog, outlet, service.clock)
    service.loop("receive events", Reception(feed, ledger, backlog, service.clock).run)
    service.loop("deliver messages", delivery.run)
    service.on_drain("finish", delivery.finish)
    await report_health(True)  # noqa: FBT003 - as above


async def open_feed(bus: Bus, ledger: Ledger) -> Feed:
    """The durable consumer of EVENTS, placed behind what was told.

    It is made anew at each start: what the process before had received and not acknowledged then comes first and at
    once, in the order of the stream, and not behind newer events when the time to acknowledge has run out.
    """
    await bus.delete_consumer(EVENTS, CONSUMER)
    return bus.feed(EVENTS, durable=Durable(name=CONSUMER, start_sequence=ledger.next_sequence))


class _ClosedDoor:
    """Nothing but the health check is offered, so no key is right."""

    async def authenticate(self, key: str | None) -> Principal:
        del key
        raise InvalidKey("The notifier takes no calls.")
