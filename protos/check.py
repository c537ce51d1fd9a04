"""Checks the protos without a network: buf lint, buf format, buf breaking.

`--write-baseline` instead renews what buf breaking compares with.

buf cannot fetch google/api/*.proto from its registry here, and need not: protoc builds an image with the copies that
googleapis-common-protos installed, and buf reads that image.
"""

import argparse
import gzip
import subprocess
import sys
import tempfile
from pathlib import Path

from protos.build import PACKAGE, ROOT, run_protoc

BASELINE = ROOT / "protos" / "baseline.binpb.gz"
BUF = Path(sys.executable).parent / "buf"


def main() -> int:
    """Run every check, or write the baseline; the exit status is 0 when all is well."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--write-baseline", action="store_true", help="make the protos as they are the new baseline")
    if parser.parse_args().write_baseline:
        write_baseline(BASELINE)
        print(f"wrote {BASELINE.relative_to(ROOT)}; commit it with a line in CHANGELOG.md that says what changed")
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        image = Path(scratch) / "api.binpb"
        build_image(image, "--include_source_info")
        return check(image)


def check(image: Path) -> int:
    """Run the three buf checks on an image, all of them even when one fails; return how many failed."""
    rules = ("--config", str(ROOT / "buf.yaml"), "--path", PACKAGE)
    checks = {
        "lint": ("lint", str(image), *rules),
        "format": ("format", "--diff", "--exit-code", str(ROOT / "protos")),
        "breaking": ("breaking", str(image), "--against", str(BASELINE), *rules),
    }
    return sum(not _passes(title, arguments) for title, arguments in checks.items())


def _passes(title: str, arguments: tuple[str, ...]) -> bool:
    if title == "breaking" and not BASELINE.exists():
        print(f"buf breaking: no {BASELINE.relative_to(ROOT)}; write it with `make buf-baseline` and commit it")
        return False
    passed = subprocess.run([BUF, *arguments], check=False, cwd=ROOT).returncode == 0
    print(f"buf {title}: {'ok' if passed else 'failed'}")
    return passed


def build_image(image: Path, *flags: str) -> None:
    """Compile every proto, with all it imports, into one FileDescriptorSet."""
    protos = sorted(str(proto) for proto in (ROOT / "protos" / PACKAGE).glob("*.proto"))
    run_protoc(ROOT / "protos", "--include_imports", *flags, f"--descriptor_set_out={image}", *protos)


def write_baseline(baseline: Path) -> None:
    """Write the image that later protos must not break: without comments, and the same bytes for the same protos."""
    with tempfile.TemporaryDirectory() as scratch:
        image = Path(scratch) / "api.binpb"
        build_image(image)
        baseline.write_bytes(gzip.compress(image.read_bytes(), mtime=0))


if __name__ == "__main__":
    sys.exit(main())
