"""`python -m notifier`."""

import sys

from headway.runtime.logs import configure_logging
from headway.runtime.service import run_service
from headway.runtime.settings import load_or_exit
from notifier.settings import NotifierSettings
from notifier.wiring import serve


def main() -> int:
    """Run until told to stop; returns the exit code."""
    settings = load_or_exit(NotifierSettings)
    configure_logging(
        "notifier", level=settings.log_level, roots={"<home>": settings.home, "<data>": settings.data_path}
    )
    return run_service(lambda: serve(settings))


if __name__ == "__main__":
    sys.exit(main())
