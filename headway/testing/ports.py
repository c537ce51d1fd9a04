"""Free ports."""

import random
import socket

_given: set[int] = set()
_reservations: list[int] = []
"""Descriptors; the kernel closes them with the process, and nobody else need."""
_STEADY = range(10_000, 32_000)
"""Below those from which the kernel takes the ports of outgoing connections."""


def free_port() -> int:
    """A port on 127.0.0.1 that nobody listens on, never the same twice in one process."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port not in _given:
            _given.add(port)
            return port


def steady_port() -> int:
    """A port on 127.0.0.1 that nobody else takes while its service is down, for one that is started again (Linux).

    Other processes that ask here get others, as long as this one lives.
    """
    while True:
        port = random.choice(_STEADY)
        reservation = socket.socket(socket.AF_UNIX)
        try:
            # A name that the kernel forgets with this process, whatever its end.
            reservation.bind(f"\0headway-port-{port}")
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            reservation.close()
            continue
        _reservations.append(reservation.detach())
        return port
