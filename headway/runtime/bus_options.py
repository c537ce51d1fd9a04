"""How to connect to nats-server."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class ConnectionListener(Protocol):
    """Hears what becomes of a connection, where a person wants to know. Called from the event loop; must not block."""

    def lost(self) -> None:
        """The connection is lost; it is being tried again."""
        ...

    def back(self) -> None:
        """It is there again."""
        ...

    def closed(self) -> None:
        """It is gone for good, and not because we left: the server has sent away a user whom it knew before."""
        ...

    def refused(self, error: Exception) -> None:
        """The server, or a try to reach it, says this: a wrong password or a missing right shows up nowhere else."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BusOptions:
    """How to connect.

    Attributes:
        connect_timeout_seconds: for the first connection; later ones are tried for ever.
        request_timeout_seconds: for each request, including the wait for a lost connection.
        reconnect_wait_seconds: between tries.
        credentials_file: user JWT and seed, where the server asks for them.
        ca_file: certificate authority, where the server speaks TLS.
        domain: name under which JetStream is reached from another account, as deploy/nats/headway.conf has it for
            subscribers; empty for the account's own.
        inbox_prefix: where answers come back to; empty for `_INBOX_` and the name of the connection.
        listener: hears what becomes of the connection, instead of the log.
    """

    connect_timeout_seconds: float = 30.0
    request_timeout_seconds: float = 5.0
    reconnect_wait_seconds: float = 0.25
    credentials_file: Path | None = None
    ca_file: Path | None = None
    domain: str = ""
    inbox_prefix: str = ""
    listener: ConnectionListener | None = None
