"""Entry point of the command `headway`."""

import os
import sys

from headway.cli.app import build_app
from headway.cli.global_options import hoist


def main() -> None:
    """Run the command that the line names; ends the process with one of the documented exit codes."""
    arguments = hoist(sys.argv[1:])
    try:
        build_app(arguments)(arguments, prog_name="headway")
    except BrokenPipeError:
        # Whoever read stdout has gone, as `head` does. Python would complain once more while flushing at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)


if __name__ == "__main__":
    main()
