import pytest

from headway.contract.recipes import StopRequested
from trainer_host.cancellation import CancellationToken


def test_an_attempt_goes_on_until_it_is_told_to_stop() -> None:
    token = CancellationToken()
    token.check()

    token.cancel("PAUSE")

    with pytest.raises(StopRequested) as stop:
        token.check()
    assert stop.value.reason == "PAUSE"


def test_a_cancel_overrules_a_pause() -> None:
    token = CancellationToken()
    token.cancel("PAUSE")
    token.cancel("CANCEL")
    assert token.reason == "CANCEL"


def test_a_pause_does_not_overrule_a_cancel() -> None:
    token = CancellationToken()
    token.cancel("CANCEL")
    token.cancel("PAUSE")
    assert token.reason == "CANCEL"
