from headway.cli.checks.verdict import away, fail, note, ok
from headway.cli.doctor import exit_code
from headway.cli.exit_codes import ExitCode


def test_notes_are_no_faults() -> None:
    assert exit_code([ok("a", ""), note("b", "")]) is ExitCode.OK


def test_a_fault_is_refused() -> None:
    assert exit_code([ok("a", ""), fail("b", "", "fix it")]) is ExitCode.REFUSED


def test_what_is_away_explains_the_faults_that_follow_from_it() -> None:
    assert exit_code([fail("hosts", "", ""), away("gateway", "", "headway up")]) is ExitCode.UNAVAILABLE
