"""Secrets that stand in files of their own, readable by their owner alone."""

import stat
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, SecretStr

from headway.runtime.settings import AbsolutePath

MAX_SECRET_BYTES = 4096


def _checked(path: Path) -> Path:
    read_secret_file(path)
    return path


SecretFile = Annotated[AbsolutePath, AfterValidator(_checked)]
"""A path that is refused unless a secret can be read from it and others cannot."""


def read_secret_file(path: Path) -> SecretStr:
    """The secret in a file, without the white space around it.

    Raises:
        ValueError: the file is missing, empty or no text, or others can read it; the message says what to do.
    """
    try:
        mode = path.stat().st_mode
        with path.open("rb") as file:
            text = file.read(MAX_SECRET_BYTES + 1).decode("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path.name} cannot be read ({type(error).__name__}); name a file with the secret") from error
    if stat.S_IMODE(mode) & 0o077:
        raise ValueError(f"{path.name} can be read by others; run: chmod 600 {path.name}")
    if not text or len(text) > MAX_SECRET_BYTES:
        raise ValueError(f"{path.name} must hold the secret and nothing else")
    return SecretStr(text)


def secret_of(given: SecretStr | None, file: Path | None) -> SecretStr | None:
    """The secret that was given itself, or else the one in the file, without white space; None where there is none."""
    if given is not None and (text := given.get_secret_value().strip()):
        return SecretStr(text)
    return read_secret_file(file) if file is not None else None
