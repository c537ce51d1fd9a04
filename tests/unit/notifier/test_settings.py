"""The notifier's settings."""

from datetime import timedelta

import pytest

from headway.runtime.settings import SettingsError, load
from notifier.batching import BatchRules
from notifier.settings import NotifierSettings


def test_the_defaults_are_those_of_the_rules() -> None:
    assert load(NotifierSettings).notifier.batch_rules == BatchRules()


def test_the_environment_changes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWAY_NOTIFIER__LISTEN", "127.0.0.1:0")
    monkeypatch.setenv("HEADWAY_NOTIFIER__BATCH_WINDOW_SECONDS", "0.5")
    monkeypatch.setenv("HEADWAY_NOTIFIER__MAX_SECTIONS", "3")
    monkeypatch.setenv("HEADWAY_NOTIFIER__LATE_AFTER_SECONDS", "90")
    section = load(NotifierSettings).notifier
    assert section.listen.port == 0
    assert section.batch_rules == BatchRules(window_seconds=0.5, max_sections=3, late_after=timedelta(seconds=90))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HEADWAY_NOTIFIER__BATCH_WINDOW_SECONDS", "-1"),
        ("HEADWAY_NOTIFIER__MAX_SECTIONS", "11"),
        ("HEADWAY_NOTIFIER__SINK", "telegraph"),
        ("HEADWAY_NOTIFIER__LATE_AFTER_SECONDS", "0"),
        ("HEADWAY_NOTIFIER__WINDOW", "2"),
    ],
)
def test_what_makes_no_sense_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError):
        load(NotifierSettings)
