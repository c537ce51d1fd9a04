import pytest

from headway.contract.errors import InvalidKey, MissingKey
from headway.runtime.keys import make_key
from trainer_host.own_key import OwnKeyAuthenticator


async def test_the_hosts_own_key_is_an_operator() -> None:
    key = make_key()
    principal = await OwnKeyAuthenticator(key.text).authenticate(key.text)
    assert principal.key_id == key.key_id
    assert principal.may("read")
    assert principal.may("admin")


@pytest.mark.parametrize("shown", [None, ""])
async def test_no_key_is_refused(shown: str | None) -> None:
    with pytest.raises(MissingKey):
        await OwnKeyAuthenticator(make_key().text).authenticate(shown)


@pytest.mark.parametrize("shown", ["x", "hw_a_b_c", pytest.param(make_key().text, id="of another host")])
async def test_another_key_is_refused(shown: str) -> None:
    with pytest.raises(InvalidKey):
        await OwnKeyAuthenticator(make_key().text).authenticate(shown)
