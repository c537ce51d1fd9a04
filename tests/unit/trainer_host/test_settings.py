import re
import socket
from pathlib import Path

import pytest

from headway.contract.ids import HOST_PATTERN
from headway.runtime.settings import SettingsError, load
from trainer_host.settings import TrainerHostSettings, default_host_id


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWAY_HOME", str(tmp_path))


@pytest.mark.parametrize("machine", ["gpu-1", "GPU_1.example.com", "-_-", "x" * 80, "1.2.3.4"])
def test_the_machines_name_makes_a_host_id(machine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: machine)
    assert re.fullmatch(HOST_PATTERN, default_host_id())


def test_every_host_has_a_folder_and_a_key_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWAY_TRAINER_HOST__HOST_ID", "gpu-1")
    settings = load(TrainerHostSettings)
    assert settings.host_dir == tmp_path / "hosts" / "gpu-1"
    assert settings.key_path == tmp_path / "keys" / "local.key"
    monkeypatch.setenv("HEADWAY_API_KEY_FILE", str(tmp_path / "mine"))
    assert load(TrainerHostSettings).key_path == tmp_path / "mine"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HOST_ID", "../x"),
        ("HOST_ID", "Upper"),
        ("MODE", "remote"),
        ("NUM_SLOTS", "0"),
        ("NUM_SLOTS", "65"),
        ("ORPHAN_LIMIT_SECONDS", "0"),
        ("LISTEN", "0.0.0.0:7072"),
        ("NO_SUCH", "1"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_key(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"HEADWAY_TRAINER_HOST__{name}", value)
    with pytest.raises(SettingsError) as raised:
        load(TrainerHostSettings)
    assert name.lower() in str(raised.value).lower()


def test_the_key_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWAY_API_KEY", "hw_secret")
    assert "hw_secret" not in repr(load(TrainerHostSettings))
