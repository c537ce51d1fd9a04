import stat
from pathlib import Path

from headway.testing.discord.keeping import read_kept, write_kept
from headway.testing.discord.server import FakeDiscord, fake_discord


def a_discord() -> FakeDiscord:
    discord = FakeDiscord(owner_id="5")
    discord._registry.replace([{"name": "ping", "description": "Ping"}])
    return discord


async def test_what_is_kept_is_known_to_the_next_one(tmp_path: Path) -> None:
    path, before = tmp_path / "kept.json", a_discord()
    write_kept(path, before.keep())
    kept = read_kept(path, "5")
    assert kept is not None
    async with fake_discord(owner_id=5, kept=kept) as after:
        assert (after.bot, after.owner, after.commands) == (before.bot, before.owner, before.commands)
        assert after.owner_channel_id == before.owner_channel_id
        assert after.keep() == before.keep()


def test_only_its_user_can_read_what_is_kept(tmp_path: Path) -> None:
    write_kept(tmp_path / "kept.json", a_discord().keep())
    assert stat.S_IMODE((tmp_path / "kept.json").stat().st_mode) == 0o600


def test_what_cannot_be_read_or_is_of_another_owner_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    assert read_kept(path, "5") is None
    path.write_text("{", encoding="utf-8")
    assert read_kept(path, "5") is None
    write_kept(path, a_discord().keep())
    assert read_kept(path, "6") is None
