"""Progress is shown once the work takes two seconds; in a pipe as a line now and then."""

import pytest

from headway.cli.stack.gateway_role import Progress
from headway.cli.stack.role_progress import RoleProgress
from headway.testing.clock import ManualClock


def said(done: int) -> Progress:
    return Progress(what="copying files", done=done, total=4096, unit="bytes")


async def test_quick_work_is_silent_and_long_work_tells(clock: ManualClock, capsys: pytest.CaptureFixture[str]) -> None:
    with RoleProgress(clock) as progress:
        progress.show(said(1))
        await clock.advance(1.9)
        progress.show(said(2))
        assert capsys.readouterr().err == ""
        await clock.advance(9)
        progress.show(said(1024))
        assert "copying files: 1.0 KiB of 4.0 KiB" in capsys.readouterr().err
        progress.show(said(2048))
        assert capsys.readouterr().err == "", "not a line for each file"
