"""What a host remembers of its attempts over a restart: one small file each, holding the last report.

Not fsynced: after a power cut an attempt may be forgotten, and the scheduler then counts it as lost, which it is.
"""

from pathlib import Path

from google.protobuf.message import DecodeError

from headway.runtime.logs import get_logger
from headway.v1.scheduler_service_pb2 import AttemptReport
from trainer_host.attempt_key import AttemptKey
from trainer_host.files import make_directory, replace_file

_log = get_logger(__name__)


class AttemptStore:
    """The files of one host."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def load(self) -> list[AttemptReport]:
        """Every report that can be read; the others are deleted with a word in the log."""
        reports = []
        for path in sorted(make_directory(self._root).iterdir()):
            report = _read(path)
            if report is None:
                _log.warning("forgot an attempt whose file cannot be read", file=path.name)
                path.unlink(missing_ok=True)
            else:
                reports.append(report)
        return reports

    def save(self, report: AttemptReport) -> None:
        """Remember the newest report of an attempt."""
        try:
            replace_file(self._root / AttemptKey.of(report).file_name, report.SerializeToString())
        except OSError as error:
            # A full disk must not stop training: the file only spares a wait after a restart.
            _log.warning("cannot remember an attempt", job=report.job, attempt=report.attempt, error=str(error))

    def forget(self, key: AttemptKey) -> None:
        """Delete what is remembered of an attempt."""
        (self._root / key.file_name).unlink(missing_ok=True)


def _read(path: Path) -> AttemptReport | None:
    key = AttemptKey.from_file_name(path.name)
    try:
        report = AttemptReport.FromString(path.read_bytes())
    except (OSError, DecodeError):
        return None
    return report if key is not None and AttemptKey.of(report) == key else None
