import errno
import os
from pathlib import Path

import pytest

from gateway.blobs.disk import check_room, full_disk_is_told
from headway.contract.errors import DiskFull


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_told_as_such(number: int) -> None:
    with pytest.raises(DiskFull) as caught, full_disk_is_told():
        raise OSError(number, "no")
    assert caught.value.retry_after is not None


def test_other_faults_of_the_disk_pass() -> None:
    with pytest.raises(OSError, match="broken"), full_disk_is_told():
        raise OSError(errno.EIO, "broken")


def test_what_would_not_fit_is_refused_at_the_door(tmp_path: Path) -> None:
    disk = os.statvfs(tmp_path)
    free = disk.f_bavail * disk.f_frsize
    check_room(tmp_path, 1000, min_free_mib=0)
    with pytest.raises(DiskFull):
        check_room(tmp_path, free + 1_000_000_000, min_free_mib=0)
    with pytest.raises(DiskFull):
        check_room(tmp_path, 0, min_free_mib=free // 1024**2 + 1000)
