"""Nothing in the repository names a secret, a person's machine, or where its packages were downloaded from."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tidy.repository import ROOT, own_files

# Written so that no pattern matches its own line.
PATTERNS = {
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE[ ]KEY",
    "a cloud access key": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "a GitHub token": r"\bgh[pousr]_[0-9A-Za-z]{36}",
    "a Slack token": r"\bxox[abprs]-[0-9A-Za-z-]{10,}",
    "a Discord bot token": r"\b[MNO][0-9A-Za-z_-]{23,25}\.[0-9A-Za-z_-]{6}\.[0-9A-Za-z_-]{27,}",
    "an API key": r"\bsk-[0-9A-Za-z_-]{20,}",
    "a JSON web token": r"\beyJ[0-9A-Za-z_-]{10,}\.eyJ[0-9A-Za-z_-]{10,}\.",
    "a NATS seed": r"\bS[AUNOC][A-Z2-7]{56}\b",
    "a password in an address": r"\b[a-z][a-z0-9+.-]*://[^\s/:@$<{]+:[^\s/:@$<{]+@",
    "a folder of one machine": r"(?<![\w.}~-])/(?:home/[a-z][\w-]*|Users/[A-Za-z][\w-]*|root|work)/",
    "a package registry": r"(?i)\b(?:(?:test\.)?pypi[.]org|pythonhosted[.]org|registry[.]npmjs|deb[.]debian[.]org"
    r"|download[.]pytorch[.]org|proxy[.]golang[.]org)",
}

EXAMPLES = {
    "a private key": "-----BEGIN RSA PRIVATE" + " KEY-----",
    "a cloud access key": "AKIA" + "A" * 16,
    "a GitHub token": "ghp_" + "a" * 36,
    "a Slack token": "xoxb-" + "1234567890",
    "a Discord bot token": "M" + "a" * 23 + "." + "b" * 6 + "." + "c" * 27,
    "an API key": "sk-" + "a" * 20,
    "a JSON web token": "eyJ" + "a" * 10 + ".eyJ" + "b" * 10 + ".",
    "a NATS seed": "SU" + "A" * 56,
    "a password in an address": "nats://me:secret" + "@localhost",
    "a folder of one machine": "open('/" + "home/me/data.csv')",
    "a package registry": "https://pypi" + ".org/simple",
}

INNOCENT = """
nats://user:${PASSWORD}@nats:4222 nats://<user>:<password>@host http://localhost:8222/varz
https://example.com/root/ tests/home/me/data.csv /var/lib/headway /etc/headway
"""


def test_no_file_names_a_secret_or_a_machine() -> None:
    assert [fault for path in own_files() for fault in find_private(path, _text(path))] == []


@pytest.mark.parametrize("what", PATTERNS)
def test_each_pattern_finds_its_example(what: str) -> None:
    assert list(find_private(Path("a.txt"), f"fine\nsee {EXAMPLES[what]} there\n")) == [f"a.txt:2: {what}"]


def test_innocent_lines_pass() -> None:
    assert list(find_private(Path("a.txt"), INNOCENT)) == []


def find_private(path: Path, text: str) -> Iterator[str]:
    for number, line in enumerate(text.splitlines(), start=1):
        for what, pattern in PATTERNS.items():
            if re.search(pattern, line):
                yield f"{path}:{number}: {what}"


def _text(path: Path) -> str:
    content = (ROOT / path).read_bytes()
    return "" if b"\0" in content else content.decode("utf-8")
