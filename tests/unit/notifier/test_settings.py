"""The notifier's settings: what is understood, and that everything else is refused with the key and the fix (F-7)."""

from datetime import timedelta
from pathlib import Path

import pytest

from headway.runtime.settings import SettingsError, load
from notifier.batching import BatchRules
from notifier.settings import NotifierSettings

TOKEN = "a-token-that-nobody-may-see"
SECRET = "whsec_" + "QUJD" * 8
OWNER = "123456789012345678"
SECRETS = (TOKEN, SECRET, "hunter2", "/services/T000/")

DISCORD = "HEADWAY_NOTIFIER__DISCORD__"
WEBHOOK = "HEADWAY_NOTIFIER__WEBHOOK__"


@pytest.fixture(autouse=True)
def _nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("DISCORD_TOKEN", "DISCORD_OWNER_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HEADWAY_HOME", str(tmp_path))


def refusal(monkeypatch: pytest.MonkeyPatch, **environ: str) -> str:
    """What is said when it does not start."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as refused:
        load(NotifierSettings)
    return str(refused.value)


def test_the_defaults_are_those_of_the_rules_and_nothing_but_the_log() -> None:
    section = load(NotifierSettings).notifier
    assert section.log_rules == BatchRules()
    assert section.quiet is None
    assert (section.webhook.is_enabled, section.discord.is_enabled) == (False, False)


def test_the_environment_changes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWAY_NOTIFIER__LISTEN", "127.0.0.1:0")
    monkeypatch.setenv("HEADWAY_NOTIFIER__BATCH_WINDOW_SECONDS", "0.5")
    monkeypatch.setenv("HEADWAY_NOTIFIER__MAX_SECTIONS", "3")
    monkeypatch.setenv("HEADWAY_NOTIFIER__LATE_AFTER_SECONDS", "90")
    section = load(NotifierSettings).notifier
    assert section.listen.port == 0
    assert section.log_rules == BatchRules(window_seconds=0.5, max_sections=3, late_after=timedelta(seconds=90))


def test_quiet_hours_have_a_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWAY_NOTIFIER__QUIET_HOURS", "22:00-07:00")
    monkeypatch.setenv("HEADWAY_NOTIFIER__TIME_ZONE", "Europe/Berlin")
    quiet = load(NotifierSettings).notifier.quiet
    assert quiet is not None
    assert (quiet.begin.hour, quiet.end.hour, quiet.zone.key) == (22, 7, "Europe/Berlin")


@pytest.mark.parametrize(
    ("name", "value", "fix"),
    [
        ("HEADWAY_NOTIFIER__BATCH_WINDOW_SECONDS", "-1", "notifier.batch_window_seconds"),
        ("HEADWAY_NOTIFIER__MAX_SECTIONS", "11", "notifier.max_sections"),
        ("HEADWAY_NOTIFIER__SINK", "telegraph", "HEADWAY_NOTIFIER__SINK is not a setting"),
        ("HEADWAY_NOTIFIER__LATE_AFTER_SECONDS", "0", "notifier.late_after_seconds"),
        ("HEADWAY_NOTIFIER__WINDOW", "2", "HEADWAY_NOTIFIER__WINDOW is not a setting"),
        (
            "HEADWAY_NOTIFIER__QUIET_HOURS",
            "at night",
            "notifier.quiet_hours (or HEADWAY_NOTIFIER__QUIET_HOURS): must be a span of hours such as",
        ),
        (
            "HEADWAY_NOTIFIER__TIME_ZONE",
            "Berlin",
            "notifier.time_zone (or HEADWAY_NOTIFIER__TIME_ZONE): must be the name",
        ),
        ("HEADWAY_NOTIFIER__TIME_ZONE", "../etc/passwd", "notifier.time_zone"),
        (f"{DISCORD}TOKN", TOKEN, "did you mean HEADWAY_NOTIFIER__DISCORD__TOKEN?"),
        (f"{DISCORD}HEARTBEAT_SECONDS", "10", "notifier.discord.heartbeat_seconds"),
        (f"{WEBHOOK}LIMIT_SECONDS", "0", "notifier.webhook.limit_seconds"),
    ],
)
def test_what_makes_no_sense_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str, fix: str) -> None:
    said = refusal(monkeypatch, **{name: value})
    assert fix in said
    assert TOKEN not in said


def test_a_key_that_is_unknown_in_the_file_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "headway.toml").write_text(f'[notifier.discord]\ntokken = "{TOKEN}"\n', encoding="utf-8")
    said = refusal(monkeypatch)
    assert "notifier.discord.tokken is not a setting; did you mean token?" in said
    assert TOKEN not in said


class TestDiscord:
    def test_a_token_and_an_owner_are_enough(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DISCORD_TOKEN", TOKEN)
        monkeypatch.setenv("DISCORD_OWNER_ID", OWNER)
        discord = load(NotifierSettings).notifier.discord
        assert (discord.is_enabled, discord.owner) == (True, int(OWNER))
        assert discord.bot_token().get_secret_value() == TOKEN
        assert TOKEN not in repr(discord)
        assert not discord.is_control_enabled

    def test_the_name_with_the_prefix_wins(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DISCORD_TOKEN", "another")
        monkeypatch.setenv("DISCORD_OWNER_ID", OWNER)
        monkeypatch.setenv(f"{DISCORD}TOKEN", TOKEN)
        assert load(NotifierSettings).notifier.discord.bot_token().get_secret_value() == TOKEN

    def test_the_token_may_stand_in_a_file(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        path = tmp_path / "token"
        path.write_text(TOKEN + "\n", encoding="utf-8")
        path.chmod(0o600)
        monkeypatch.setenv(f"{DISCORD}TOKEN_FILE", str(path))
        monkeypatch.setenv("DISCORD_OWNER_ID", OWNER)
        assert load(NotifierSettings).notifier.discord.bot_token().get_secret_value() == TOKEN

    def test_an_owner_alone_switches_nothing_on(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DISCORD_OWNER_ID", OWNER)
        assert not load(NotifierSettings).notifier.discord.is_enabled

    @pytest.mark.parametrize("owner", ["", " ", "ada", "1234", OWNER + " ", "1" * 21, "\u0661" * 18])
    def test_without_an_owner_it_does_not_start(self, monkeypatch: pytest.MonkeyPatch, owner: str) -> None:
        said = refusal(monkeypatch, DISCORD_TOKEN=TOKEN, DISCORD_OWNER_ID=owner)
        assert "notifier.discord.owner_id (or HEADWAY_NOTIFIER__DISCORD__OWNER_ID): must be your own Discord id" in said
        assert TOKEN not in said

    def test_a_token_file_that_others_can_read_is_refused(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        path = tmp_path / "token"
        path.write_text(TOKEN, encoding="utf-8")
        path.chmod(0o644)
        said = refusal(monkeypatch, **{f"{DISCORD}TOKEN_FILE": str(path), "DISCORD_OWNER_ID": OWNER})
        assert "notifier.discord.token_file (or HEADWAY_NOTIFIER__DISCORD__TOKEN_FILE): token can be read by" in said
        assert "chmod 600 token" in said
        assert TOKEN not in said

    def test_the_fake_takes_any_number_for_an_owner(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in {
            "DISCORD_TOKEN": TOKEN,
            "DISCORD_OWNER_ID": "1",
            f"{DISCORD}API_BASE": "http://127.0.0.1:1/api",
            f"{DISCORD}GATEWAY_URL": "ws://127.0.0.1:1/ws",
        }.items():
            monkeypatch.setenv(name, value)
        assert load(NotifierSettings).notifier.discord.is_elsewhere

    def test_the_token_goes_nowhere_readable_and_to_one_place(self, monkeypatch: pytest.MonkeyPatch) -> None:
        base = {"DISCORD_TOKEN": TOKEN, "DISCORD_OWNER_ID": OWNER, f"{DISCORD}API_BASE": "http://discord.example/api"}
        assert "notifier.discord.gateway_url (or" in refusal(monkeypatch, **base)
        said = refusal(monkeypatch, **base, **{f"{DISCORD}GATEWAY_URL": "wss://discord.example"})
        assert "notifier.discord.api_base (or HEADWAY_NOTIFIER__DISCORD__API_BASE): must begin with https://" in said
        assert TOKEN not in said


class TestWebhook:
    def test_a_url_and_a_secret_are_enough(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(f"{WEBHOOK}URL", "https://example.com/hook")
        monkeypatch.setenv(f"{WEBHOOK}SECRET", SECRET)
        webhook = load(NotifierSettings).notifier.webhook
        assert webhook.is_enabled
        assert webhook.address().get_secret_value() == "https://example.com/hook"
        assert webhook.signing_secret().get_secret_value() == SECRET
        assert "example.com" not in repr(webhook)
        assert SECRET not in repr(webhook)

    def test_a_secret_alone_switches_nothing_on(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(f"{WEBHOOK}SECRET", SECRET)
        assert not load(NotifierSettings).notifier.webhook.is_enabled

    @pytest.mark.parametrize(
        ("url", "secret", "key", "fix"),
        [
            ("https://me:hunter2" + "@example.com/x", SECRET, "url", "must hold no user and no password"),
            ("http://example.com/services/T000/", SECRET, "url", "must begin with https://"),
            ("hunter2", SECRET, "url", "must be an address"),
            ("https://example.com/services/T000/", "", "secret", "must be set when a url is"),
            ("https://example.com/", "hunter2", "secret", "must be whsec_ and"),
            ("https://example.com/", "whsec_QUJD", "secret", "base64 of 24 bytes or more"),
            ("https://example.com/", "QUJD" * 8, "secret", "must be whsec_ and"),
            ("https://example.com/", "whsec_hunter2!" + "Q" * 40, "secret", "must be whsec_ and base64"),
        ],
    )
    def test_what_would_not_be_safe_is_refused(
        self, monkeypatch: pytest.MonkeyPatch, url: str, secret: str, key: str, fix: str
    ) -> None:
        said = refusal(monkeypatch, **{f"{WEBHOOK}URL": url, f"{WEBHOOK}SECRET": secret})
        assert f"notifier.webhook.{key} (or HEADWAY_NOTIFIER__WEBHOOK__{key.upper()}): " in said
        assert fix in said
        assert [hidden for hidden in SECRETS if hidden in said] == []

    def test_plain_http_to_another_machine_can_be_allowed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(f"{WEBHOOK}URL", "http://receiver:8080/hook")
        monkeypatch.setenv(f"{WEBHOOK}SECRET", SECRET)
        monkeypatch.setenv(f"{WEBHOOK}IS_PLAIN_HTTP_ALLOWED", "true")
        assert load(NotifierSettings).notifier.webhook.is_enabled
