"""Free ports."""

import socket

_given: set[int] = set()


def free_port() -> int:
    """A port on 127.0.0.1 that nobody listens on, never the same twice in one process."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port not in _given:
            _given.add(port)
            return port
