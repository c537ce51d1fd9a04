from pathlib import Path

import pytest
from pydantic import Field

from headway.runtime.settings import ListenAddress, Section, SettingsError, SharedSettings, load, load_or_exit


class QueueSection(Section):
    limit: int = Field(default=10, ge=1, le=100)


class GatewaySection(Section):
    listen: ListenAddress = ListenAddress("127.0.0.1:7070")
    queue: QueueSection = QueueSection()


class GatewaySettings(SharedSettings):
    gateway: GatewaySection = GatewaySection()


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    import os

    for name in list(os.environ):
        if name.startswith("HEADWAY_") or name == "TRAINING_DEFAULT_MODE":
            monkeypatch.delenv(name)
    monkeypatch.setenv("HEADWAY_HOME", str(tmp_path))
    return tmp_path


def problems_of(model: type[SharedSettings]) -> list[str]:
    with pytest.raises(SettingsError) as raised:
        load(model)
    return list(raised.value.problems)


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    settings = load(GatewaySettings)

    assert settings.gateway.listen == "127.0.0.1:7070"
    assert (settings.gateway.listen.host, settings.gateway.listen.port) == ("127.0.0.1", 7070)
    assert settings.training_default_mode == "auto"
    assert (settings.home, settings.data_path) == (tmp_path, tmp_path / "data")


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "headway.toml").write_text(
        'log_level = "debug"\n[gateway]\nlisten = "127.0.0.1:1"\n[gateway.queue]\nlimit = 5\n'
    )
    monkeypatch.setenv("HEADWAY_GATEWAY__LISTEN", "127.0.0.1:2")

    settings = load(GatewaySettings)

    assert (settings.log_level, settings.gateway.listen, settings.gateway.queue.limit) == ("debug", "127.0.0.1:2", 5)


def test_the_file_may_be_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "elsewhere.toml"
    path.write_text('log_level = "warning"\n')
    monkeypatch.setenv("HEADWAY_CONFIG", str(path))
    assert load(GatewaySettings).log_level == "warning"

    monkeypatch.setenv("HEADWAY_CONFIG", str(tmp_path / "none.toml"))
    assert "HEADWAY_CONFIG names no file" in problems_of(GatewaySettings)[0]


def test_a_file_that_is_not_toml_is_refused(tmp_path: Path) -> None:
    (tmp_path / "headway.toml").write_text("nats_url = nats\n")
    assert "cannot be read" in problems_of(GatewaySettings)[0]


@pytest.mark.parametrize("mode", ["auto", "local", "host", "HOST"])
def test_the_default_mode_is_read_without_a_prefix(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAINING_DEFAULT_MODE", mode)
    assert load(GatewaySettings).training_default_mode == mode.lower()


def test_an_unknown_default_mode_is_refused_with_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAINING_DEFAULT_MODE", "cloud")
    (problem,) = problems_of(GatewaySettings)
    assert "training_default_mode" in problem
    assert "'auto', 'local' or 'host'" in problem


@pytest.mark.parametrize(
    ("text", "key", "nearest"),
    [
        ('nats_uri = "nats://x"\n', "nats_uri", "nats_url"),
        ('[gateway]\nlisen = "x"\n', "gateway.lisen", "listen"),
        ("[gateway.queue]\nlimt = 3\n", "gateway.queue.limt", "limit"),
        ("[gatewy]\nlisten = 3\n", "gatewy", "gateway"),
    ],
)
def test_an_unknown_key_of_the_file_is_refused_with_the_nearest(
    tmp_path: Path, text: str, key: str, nearest: str
) -> None:
    (tmp_path / "headway.toml").write_text(text)
    assert problems_of(GatewaySettings) == [f"{key} is not a setting; did you mean {nearest}?"]


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("HEADWAY_NATS_URI", "HEADWAY_NATS_URL"),
        ("HEADWAY_GATEWAY__LISTN", "HEADWAY_GATEWAY__LISTEN"),
        ("HEADWAY_GATEWAY__QUEUE__LIMT", "HEADWAY_GATEWAY__QUEUE__LIMIT"),
    ],
)
def test_an_unknown_variable_is_refused_with_the_nearest(
    name: str, nearest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # pydantic-settings ignores an unknown variable at the top without a word.
    monkeypatch.setenv(name, "1")
    assert f"{name} is not a setting; did you mean {nearest}?" in problems_of(GatewaySettings)


def test_what_belongs_to_other_services_is_left_to_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "headway.toml").write_text("[scheduler]\nanything = 1\n")
    monkeypatch.setenv("HEADWAY_TRAINER_HOST__ANYTHING", "1")
    monkeypatch.setenv("HEADWAY_API_KEY", "hw_x")
    load(GatewaySettings)


def test_a_value_out_of_bounds_is_refused_with_key_bounds_and_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWAY_GATEWAY__QUEUE__LIMIT", "1000")
    assert problems_of(GatewaySettings) == [
        "gateway.queue.limit (or HEADWAY_GATEWAY__QUEUE__LIMIT): input should be less than or equal to 100, not '1000'"
    ]


def test_every_problem_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "headway.toml").write_text("surprise = 1\n[gateway.queue]\nlimit = 0\n")
    monkeypatch.setenv("HEADWAY_TYPO", "1")
    assert len(problems_of(GatewaySettings)) == 3


@pytest.mark.parametrize("address", ["0.0.0.0:7070", "[::]:7070", "192.168.1.5:7070", "example.com:7070"])
def test_an_open_door_without_tls_is_refused_unless_asked_for(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWAY_GATEWAY__LISTEN", address)
    (problem,) = problems_of(GatewaySettings)
    assert problem.startswith(f"gateway.listen: {address} can be reached from other machines")
    assert "insecure_bind = true" in problem

    monkeypatch.setenv("HEADWAY_INSECURE_BIND", "true")
    assert load(GatewaySettings).gateway.listen == address
    monkeypatch.delenv("HEADWAY_INSECURE_BIND")
    monkeypatch.setenv("HEADWAY_CERTIFICATE_FILE", "/etc/headway/server.pem")
    monkeypatch.setenv("HEADWAY_KEY_FILE", "/etc/headway/server.key")
    assert load(GatewaySettings).gateway.listen == address


@pytest.mark.parametrize("address", ["localhost:0", "127.0.0.1:65535", "127.8.9.1:1", "[::1]:7070"])
def test_this_machine_alone_is_always_fine(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWAY_GATEWAY__LISTEN", address)
    assert load(GatewaySettings).gateway.listen.is_loopback


@pytest.mark.parametrize("address", ["7070", ":7070", "host:", "host:x", "host:65536", "host:-1", "host:²"])
def test_an_address_that_is_none_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWAY_GATEWAY__LISTEN", address)
    assert "must be host:port" in problems_of(GatewaySettings)[0]


@pytest.mark.parametrize("name", ["HEADWAY_DATA_ROOT", "HEADWAY_HOME"])
def test_a_relative_directory_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "data")
    assert "must be an absolute path" in problems_of(GatewaySettings)[0]


def test_a_password_is_never_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "nats://user:hunter22" + "@host:4222"
    monkeypatch.setenv("HEADWAY_NATS_URL", url)
    settings = load(GatewaySettings)

    assert settings.nats_url.get_secret_value() == url
    assert settings.nats_address() == "host:4222"
    assert "hunter22" not in f"{settings!r} {settings} {settings.model_dump()}"

    monkeypatch.setenv("HEADWAY_NATS_URL", url.replace("nats", "http"))
    monkeypatch.setenv("HEADWAY_LOG_LEVEL", "loud")
    text = "\n".join(problems_of(GatewaySettings))
    assert "nats_url" in text
    assert "hunter22" not in text


def test_a_service_that_cannot_start_says_why_and_exits_with_two(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HEADWAY_TYPO", "1")
    with pytest.raises(SystemExit) as raised:
        load_or_exit(GatewaySettings)
    assert raised.value.code == 2
    assert capsys.readouterr().err.startswith("headway: HEADWAY_TYPO is not a setting")


def test_a_section_that_is_not_json_is_refused_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWAY_GATEWAY", "not json")
    assert "set the single keys" in problems_of(GatewaySettings)[0]


def test_settings_cannot_be_changed() -> None:
    settings = load(GatewaySettings)
    with pytest.raises(ValueError, match="frozen"):
        settings.gateway.queue.limit = 3  # type: ignore[misc]
