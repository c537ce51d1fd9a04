"""Certificates for tests: good ones, expired ones, and those of an authority that nobody trusts."""

from datetime import UTC, datetime
from pathlib import Path

import trustme

_PAST = (datetime(2019, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC))


class Authority:
    """A certificate authority with files below a folder."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder
        self._authority = trustme.CA(organization_name=name)
        self.ca_file = folder / f"{name}.pem"
        self._authority.cert_pem.write_to_path(self.ca_file)

    def issue(self, name: str, *, host: str = "127.0.0.1", has_expired: bool = False) -> tuple[Path, Path]:
        """A certificate with its chain, and its key, as files."""
        begin, end = _PAST if has_expired else (None, None)
        issued = self._authority.issue_cert(host, not_before=begin, not_after=end)
        certificate_file, key_file = self._folder / f"{name}.cert.pem", self._folder / f"{name}.key.pem"
        certificate_file.write_bytes(b"".join(part.bytes() for part in issued.cert_chain_pems))
        issued.private_key_pem.write_to_path(key_file)
        key_file.chmod(0o600)
        return certificate_file, key_file
