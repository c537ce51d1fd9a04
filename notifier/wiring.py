"""Builds the notifier and runs it. The only file that constructs, with that of the Discord bot beside it."""

import sys
from dataclasses import replace

from headway.contract.errors import InvalidKey
from headway.contract.subjects import EVENTS, NOTIFIER
from headway.runtime.bus import Bus
from headway.runtime.durability import check_durable
from headway.runtime.grpc_server import GrpcServer, ServerOptions
from headway.runtime.nats_bus import connect
from headway.runtime.principal import Principal
from headway.runtime.redaction import Redactor
from headway.runtime.run_file import announced
from headway.runtime.service import Service
from headway.v1.records_pb2 import WatchesRecord
from notifier.batching import BatchRules
from notifier.discord.wiring import open_discord
from notifier.log_sink import LogSink
from notifier.outlet import Outlet
from notifier.parts import Parts
from notifier.post import open_post
from notifier.rates import Rate
from notifier.settings import NotifierSection, NotifierSettings
from notifier.sink_health import SinkHealth
from notifier.sinks import Sink
from notifier.watch_store import WatchStore
from notifier.webhook.sink import open_webhook_sink


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
        await _open_posts(await _parts(service, bus, server, settings))
        await service.enter(announced(settings.home, "notifier", server.address))
        return await service.run()


def _server(settings: NotifierSettings) -> GrpcServer:
    options = ServerOptions(certificate_file=settings.certificate_file, key_file=settings.key_file)
    return GrpcServer(settings.notifier.listen, authenticator=_ClosedDoor(), scopes={}, options=options)


async def _parts(service: Service, bus: Bus, server: GrpcServer, settings: NotifierSettings) -> Parts:
    async def set_serving(name: str, is_well: bool) -> None:  # noqa: FBT001 - what the hook is about
        await server.set_serving(name, is_serving=is_well)

    watches = WatchStore(bus.records(NOTIFIER, WatchesRecord), is_watching_all=settings.notifier.discord.watch_all)
    await watches.load()
    return Parts(
        service=service,
        bus=bus,
        settings=settings,
        health=SinkHealth(set_serving),
        watches=watches,
        redact=Redactor({"<home>": settings.home, "<data>": settings.data_path}).clean,
    )


async def _open_posts(parts: Parts) -> None:
    """A post for each sink that is set up; the log always is."""
    section = parts.settings.notifier
    await _open_post(parts, LogSink(sys.stdout), section.log_rules, rate=None)
    if section.webhook.is_enabled:
        webhook = section.webhook
        sink = await parts.service.enter(
            open_webhook_sink(
                webhook.address(),
                webhook.signing_secret(),
                parts.service.clock,
                limit_seconds=webhook.limit_seconds,
            )
        )
        rate = Rate(messages_per_minute=webhook.messages_per_minute)
        await _open_post(parts, sink, _rules_for_people(section), rate=rate)
    if section.discord.is_enabled:
        discord = await open_discord(parts)
        rate = Rate(messages_per_minute=section.discord.messages_per_minute)
        await _open_post(parts, discord, _rules_for_people(section), rate=rate)


async def _open_post(parts: Parts, sink: Sink, rules: BatchRules, *, rate: Rate | None) -> None:
    async def report_health(is_well: bool) -> None:  # noqa: FBT001 - what the hook is about
        await parts.health.report(sink.name, is_well=is_well)

    outlet = Outlet(
        sink=sink,
        rules=rules,
        redact=parts.redact,
        report_health=report_health,
        rate=rate,
        # Nobody drops a line that stands in a log twice.
        sees_repeats=not isinstance(sink, LogSink),
    )
    service = parts.service
    post = await service.enter(open_post(parts.bus, outlet, service.clock))
    service.loop(f"receive events for {sink.name}", post.reception.run)
    service.loop(f"deliver messages to {sink.name}", post.delivery.run)
    service.on_drain(f"finish {sink.name}", post.delivery.finish)
    await report_health(True)  # noqa: FBT003 - as above


def _rules_for_people(section: NotifierSection) -> BatchRules:
    return replace(section.log_rules, quiet=section.quiet)


class _ClosedDoor:
    """Nothing but the health check is offered, so no key is right."""

    async def authenticate(self, key: str | None) -> Principal:
        del key
        raise InvalidKey("The notifier takes no calls.")
