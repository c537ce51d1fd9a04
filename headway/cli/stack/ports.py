"""Which ports the services listen on."""

import errno
import socket
from dataclasses import dataclass
from typing import Self

from headway.contract.errors import Code, HeadwayError

LOOPBACK = "127.0.0.1"
GATEWAY_PORT = 7070
_SCHEDULER_PORT = 7071
_TRAINER_HOST_PORT = 7072
_NATS_PORT = 4222
_NATS_MONITOR_PORT = 8222


class PortInUse(HeadwayError):
    """Something else listens on the port that was asked for."""

    reason = "PORT_IN_USE"
    code = Code.FAILED_PRECONDITION


@dataclass(frozen=True, slots=True)
class Ports:
    """One port a listener, all on 127.0.0.1."""

    gateway: int
    scheduler: int
    trainer_host: int
    nats: int
    nats_monitor: int


def choose_ports(gateway: int | None = None) -> Ports:
    """Ports that are free now.

    Args:
        gateway: where callers connect; None means 7070, and 0 any free port for all.

    Raises:
        PortInUse: the gateway's port is taken. The other ports are nobody else's business: each is its usual one, or
            any free one where that is taken.
    """
    wanted = GATEWAY_PORT if gateway is None else gateway
    if wanted and not is_free(wanted):
        raise PortInUse(
            f"port {wanted} is in use; stop what listens there, or take another with --port N (0: any free)"
        )
    usual = [0] * 4 if wanted == 0 else [_SCHEDULER_PORT, _TRAINER_HOST_PORT, _NATS_PORT, _NATS_MONITOR_PORT]
    taken = [port for port in (wanted, *usual) if port and is_free(port)]
    # Held open together, so that no port is given out twice.
    with _Held() as held:
        chosen = [port if port in taken else held.any_free() for port in (wanted, *usual)]
    return Ports(*chosen)


def is_free(port: int) -> bool:
    """Whether a listener could bind the port on this machine now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno in {errno.EADDRINUSE, errno.EACCES}:
                return False
            raise
    return True


class _Held:
    def __enter__(self) -> Self:
        self._sockets: list[socket.socket] = []
        return self

    def any_free(self) -> int:
        one = socket.socket()
        self._sockets.append(one)
        one.bind((LOOPBACK, 0))
        return int(one.getsockname()[1])

    def __exit__(self, *_: object) -> None:
        for one in self._sockets:
            one.close()
