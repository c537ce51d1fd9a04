"""What a recovery or backup has done, on the screen and for programs."""

import json

import pytest

from headway.cli.stack.gateway_role import Report
from headway.cli.view.output import Output
from headway.cli.view.role_report import show_report

REPORT: Report = {
    "state": "recovered",
    "why": "it is empty",
    "records": {"jobs": {"brought_back": 2, "there": 1}, "keys": {}},
    "jobs_by_state": {"SUCCEEDED": 1, "QUEUED": 2},
    "made_model_versions": [],
    "num_blobs": 9,
    "num_blob_bytes": 2048,
    "missing_blobs": [f"sha256:{number:064x}" for number in range(25)],
    "damaged_blobs": [],
    "unreadable_records": ["jobs/j1"],
}


def test_people_see_what_is_there_and_what_is_gone(capsys: pytest.CaptureFixture[str]) -> None:
    show_report(REPORT, Output.TABLE)
    printed = capsys.readouterr()
    assert "2 QUEUED, 1 SUCCEEDED" in printed.out
    assert "2 brought back, 1 there already" in printed.out
    assert "9 whole, 2.0 KiB" in printed.out
    assert "25 files that are missing" in printed.err
    assert "and 5 more" in printed.err
    assert "1 records whose bytes have gone bad: jobs/j1" in printed.err
    assert "damaged" not in printed.err


def test_programs_get_all_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    show_report(REPORT, Output.JSON)
    assert json.loads(capsys.readouterr().out) == REPORT
    show_report(REPORT, Output.NAME)
    assert capsys.readouterr().out == "recovered\n"
