"""Where nats-server listens: found by itself, and never printed with its password."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from headway.cli.session import home_of, options_of
from headway.cli.view.consoles import say
from headway.contract.errors import InvalidArgument

DEFAULT_NATS_URL = "nats://127.0.0.1:4222"
NATS_URL_VARIABLE = "HEADWAY_NATS_URL"
_SERVICES = frozenset({"gateway", "scheduler", "notifier"})
_DOMAIN = "headway"

NatsUrlOption = Annotated[
    str,
    typer.Option(
        "--nats-url",
        envvar=NATS_URL_VARIABLE,
        show_envvar=False,
        help=f"Where nats-server listens, unless it runs here. One with a password belongs into {NATS_URL_VARIABLE}.",
    ),
]


@dataclass(frozen=True, slots=True)
class NatsAddress:
    """Where nats-server listens, and as whom to come.

    Attributes:
        url: with user and password; never printed.
    """

    url: str

    @property
    def shown(self) -> str:
        """Fit to be printed."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"

    @property
    def domains(self) -> tuple[str, ...]:
        """Under which names to look for JetStream, as deploy/nats/headway.conf has it: subscribers share no account."""
        user = urlsplit(self.url).username
        return ("",) if user is None or user in _SERVICES else (_DOMAIN, "")

    @property
    def inbox_prefix(self) -> str:
        """Where answers may come back to."""
        user = urlsplit(self.url).username
        return f"_INBOX_{user}" if user in _SERVICES else "_INBOX"


def address_of(ctx: typer.Context, nats_url: str) -> NatsAddress:
    """Where the command line, the environment or `headway up` says that nats-server listens.

    Raises:
        InvalidArgument: it is no address.
    """
    url = nats_url or find_nats_url(home_of(options_of(ctx)))
    if not _is_address(url):
        # Without the value: it may hold a password.
        raise InvalidArgument(f"--nats-url (or {NATS_URL_VARIABLE}) must be nats://host:port or tls://host:port")
    source = ctx.get_parameter_source("nats_url")
    if urlsplit(url).password and source is not None and source.name == "COMMANDLINE":
        say(
            f"others on this machine can read the password of --nats-url; put it into {NATS_URL_VARIABLE} instead",
            "yellow",
        )
    return NatsAddress(url)


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"nats", "tls"} and bool(parts.hostname) and (parts.port or 4222) > 0
    except ValueError:
        return False


def find_nats_url(home: Path) -> str:
    """Where `headway up` runs nats-server for this home folder; the usual address when it does not."""
    try:
        return str(json.loads((home / "run.json").read_text(encoding="utf-8"))["nats_url"])
    except (OSError, ValueError, KeyError, TypeError):
        return DEFAULT_NATS_URL
