"""Starts the gateway: `python -m gateway`. With arguments, one of its other roles: see `gateway.recovery.command`."""

import asyncio
import sys

from gateway.recovery.command import UnknownRole, run_role
from gateway.settings import GatewaySettings
from gateway.wiring import run_gateway
from headway.runtime.logs import configure_logging
from headway.runtime.service import run_service
from headway.runtime.settings import load_or_exit


def main() -> int:
    settings = load_or_exit(GatewaySettings)
    configure_logging(
        "gateway", level=settings.log_level, roots={"<home>": settings.home, "<data>": settings.data_path}
    )
    arguments = sys.argv[1:]
    if not arguments:
        return run_service(lambda: run_gateway(settings))
    try:
        return asyncio.run(run_role(settings, arguments))
    except UnknownRole as error:
        sys.stderr.write(f"usage: {error}\n")
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
