import os
from pathlib import Path

import pytest

from headway.cli.stack.home import Home, HomeInUse
from headway.contract.errors import InvalidKey
from headway.runtime.keys import read_key_file


def test_a_new_home_is_for_its_user_alone_and_has_a_key(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.make()
    assert home.root.stat().st_mode & 0o777 == 0o700
    key = read_key_file(home.root / "keys" / "local.key")
    home.make()
    assert read_key_file(home.root / "keys" / "local.key") == key


def test_a_home_that_is_only_asked_about_is_for_its_user_alone(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    assert not home.is_held()
    assert home.root.stat().st_mode & 0o777 == 0o700


def test_a_key_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.make()
    (tmp_path / "keys" / "local.key").chmod(0o644)
    with pytest.raises(InvalidKey):
        home.make()


def test_a_home_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with home.held():
        assert home.is_held()
        with pytest.raises(HomeInUse, match=f"process {os.getpid()}"), Home(tmp_path).held():
            pass
    assert not home.is_held()


def test_asking_who_holds_a_home_leaves_no_trace_of_the_asker(tmp_path: Path) -> None:
    with Home(tmp_path).held():
        Home(tmp_path).is_held()
        assert Home(tmp_path).is_held()
