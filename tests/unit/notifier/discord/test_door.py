import pytest

from notifier.discord.door import MAX_REMEMBERED, Caller, Door, Refusal, refusal_of

OWNER = 1
THE_OWNER = Caller(user_id=OWNER, is_bot=False, is_in_server=False, is_direct=True)


@pytest.mark.parametrize(
    ("caller", "refusal"),
    [
        (THE_OWNER, None),
        (Caller(user_id=2, is_bot=False, is_in_server=False, is_direct=True), Refusal.BY_A_STRANGER),
        (Caller(user_id=OWNER, is_bot=True, is_in_server=False, is_direct=True), Refusal.BY_A_BOT),
        (Caller(user_id=OWNER, is_bot=False, is_in_server=True, is_direct=False), Refusal.IN_A_SERVER),
        (Caller(user_id=OWNER, is_bot=False, is_in_server=True, is_direct=True), Refusal.IN_A_SERVER),
        (Caller(user_id=OWNER, is_bot=False, is_in_server=False, is_direct=False), Refusal.NOT_DIRECT),
        (Caller(user_id=0, is_bot=True, is_in_server=False, is_direct=True), Refusal.BY_A_BOT),
    ],
)
def test_only_the_owner_in_direct_messages_is_let_in(caller: Caller, refusal: Refusal | None) -> None:
    """P31."""
    assert refusal_of(caller, OWNER) is refusal


def test_an_interaction_is_acted_on_once() -> None:
    door = Door(OWNER)
    assert [door.admits(THE_OWNER, 7), door.admits(THE_OWNER, 7), door.admits(THE_OWNER, 8)] == [True, False, True]
    assert door.ignored == {Refusal.REPLAYED: 1}


def test_what_is_remembered_is_bounded_to_the_newest() -> None:
    door = Door(OWNER)
    for number in range(MAX_REMEMBERED + 10):
        assert door.admits(THE_OWNER, number)
    assert not door.admits(THE_OWNER, MAX_REMEMBERED)
