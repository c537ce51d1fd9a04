"""`python -m trainer_host`."""

import sys

from headway.runtime.logs import configure_logging
from headway.runtime.service import run_service
from headway.runtime.settings import load_or_exit
from trainer_host.settings import TrainerHostSettings
from trainer_host.wiring import serve


def main() -> int:
    """Run until told to stop; returns the exit code."""
    settings = load_or_exit(TrainerHostSettings)
    configure_logging("trainer_host", level=settings.log_level, roots={"<home>": settings.home})
    return run_service(lambda: serve(settings))


if __name__ == "__main__":
    sys.exit(main())
