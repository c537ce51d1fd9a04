"""The last lines of `headway --help`; free of imports that take time."""

EXIT_CODES = (
    (0, "done; with --wait: the job succeeded"),
    (1, "the job failed, was cancelled or missed a score; or an unexpected fault"),
    (2, "wrong usage, or the job or job file is not valid"),
    (3, "not found"),
    (4, "no key, a wrong key, or a key without the right"),
    (5, "refused as things stand: state, quota, name taken, no such GPU"),
    (6, "headway or a part of it is not reachable"),
    (7, "a time limit passed; the job goes on"),
    (130, "interrupted by Ctrl-C; the job goes on"),
)


def epilog() -> str:
    """Exit codes and environment, as typer prints them below the commands."""
    codes = "  ".join(f"{code} {meaning.partition(';')[0]}." for code, meaning in EXIT_CODES)
    return (
        f"Exit codes:  {codes}\n\n"
        "Environment:  HEADWAY_HOME, HEADWAY_ADDRESS, HEADWAY_PROJECT, HEADWAY_API_KEY or HEADWAY_API_KEY_FILE, "
        "HEADWAY_CA_FILE, HEADWAY_NATS_URL, NO_COLOR.\n\n"
        "The options above may stand anywhere on the line. Data goes to stdout, progress and errors to stderr."
    )
