"""What the repository holds: its own files, without what git ignores."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def own_files(*patterns: str) -> list[Path]:
    """Files committed or about to be, relative to the root, that match one of the git patterns (all if none)."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    return sorted({Path(name) for name in listed if name and (ROOT / name).is_file()})


def own_modules(*folders: str) -> list[Path]:
    """The hand-written Python files under these folders."""
    return [path for path in own_files("*.py") if any(path.is_relative_to(folder) for folder in folders)]
