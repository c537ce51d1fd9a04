import pytest

from headway.runtime.principal import Principal, acting_as, current_principal


def a_principal(scopes: tuple[str, ...] = (), projects: tuple[str, ...] = ()) -> Principal:
    return Principal(key_id="k", user_id="u", scopes=frozenset(scopes), projects=frozenset(projects))


def test_a_scope_is_held_or_implied_by_admin() -> None:
    assert a_principal(("read",)).may("read")
    assert not a_principal(("read",)).may("submit")
    assert all(a_principal(("admin",)).may(scope) for scope in ("read", "submit", "control", "host", "admin"))
    assert not a_principal(("host", "read", "submit", "control")).may("admin")


def test_a_project_is_named_or_all_are() -> None:
    assert a_principal(projects=("p1",)).may_touch("p1")
    assert not a_principal(projects=("p1",)).may_touch("p2")
    assert a_principal(projects=("*",)).may_touch("p2")
    assert not a_principal().may_touch("p1")


def test_nobody_is_calling_outside_a_call() -> None:
    with pytest.raises(LookupError):
        current_principal()
    with acting_as(a_principal()):
        assert current_principal().user_id == "u"
    with pytest.raises(LookupError):
        current_principal()
