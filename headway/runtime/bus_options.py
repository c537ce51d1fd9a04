"""How to connect to nats-server."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class BusOptions:
    """How to connect.

    Attributes:
        connect_timeout_seconds: for the first connection; later ones are tried for ever.
        request_timeout_seconds: for each request, including the wait for a lost connection.
        reconnect_wait_seconds: between tries.
        credentials_file: user JWT and seed, where the server asks for them.
        ca_file: certificate authority, where the server speaks TLS.
    """

    connect_timeout_seconds: float = 30.0
    request_timeout_seconds: float = 5.0
    reconnect_wait_seconds: float = 0.25
    credentials_file: Path | None = None
    ca_file: Path | None = None
