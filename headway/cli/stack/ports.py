"""Which ports the services listen on."""

import errno
import socket
from dataclasses import dataclass
from typing import Self

from headway.contract.errors import PortInUse

LOOPBACK = "127.0.0.1"
GATEWAY_PORT = 7070
_USUAL = (7071, 7072, 7073, 4222, 8222, 7074)
"""Of scheduler, trainer host, notifier, nats-server, its monitor and the fake Discord."""


@dataclass(frozen=True, slots=True)
class Ports:
    """One port a listener, all on 127.0.0.1."""

    gateway: int
    scheduler: int
    trainer_host: int
    notifier: int
    nats: int
    nats_monitor: int
    fake_discord: int = 0


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
    # Held open together, so that no port is given out twice.
    with _Held() as held:
        chosen = [wanted or held.any_free()]
        for usual in _USUAL:
            is_good = wanted != 0 and usual not in chosen and is_free(usual)
            chosen.append(usual if is_good else held.any_free())
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
