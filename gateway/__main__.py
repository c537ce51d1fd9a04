"""Starts the gateway: `python -m gateway`."""

import sys

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
    return run_service(lambda: run_gateway(settings))


if __name__ == "__main__":
    sys.exit(main())
