"""Asks a nats-server what a user may do, in its own protocol."""

import asyncio
import json
from urllib.parse import urlsplit

from tests.contract.deployment import DeployedNats


async def is_allowed(server: DeployedNats, name: str, operation: str) -> bool:
    """Whether the server carries out an operation of its protocol. It answers a refusal before the PONG behind it."""
    address = urlsplit(server.url(name))
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    login = {"user": address.username, "pass": address.password, "verbose": False, "pedantic": False, "headers": True}
    # One after the other, as clients do: what comes with the login in one segment is not mapped for its account.
    answer = b""
    for line in (f"CONNECT {json.dumps(login)}", operation):
        writer.write(f"{line}\r\nPING\r\n".encode())
        answer = await asyncio.wait_for(reader.readuntil(b"PONG\r\n"), timeout=5)
    writer.close()
    assert b"-ERR" not in answer.replace(b"-ERR 'Permissions Violation", b""), answer
    return b"Permissions Violation" not in answer


async def may_publish(server: DeployedNats, name: str, subject: str) -> bool:
    # Fenced by a sequence that no subject has: what is allowed is not stored.
    headers = "NATS/1.0\r\nNats-Expected-Last-Subject-Sequence: 999999999\r\n\r\n"
    return await is_allowed(server, name, f"HPUB {subject} {len(headers)} {len(headers)}\r\n{headers}")


async def may_subscribe(server: DeployedNats, name: str, subject: str) -> bool:
    return await is_allowed(server, name, f"SUB {subject} 1")
