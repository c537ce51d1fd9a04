import pytest
from pydantic import BaseModel, ValidationError

from headway.runtime.address_list import AddressList


class Settings(BaseModel):
    address: AddressList


@pytest.mark.parametrize(
    ("text", "each"),
    [
        ("127.0.0.1:7071", ("127.0.0.1:7071",)),
        ("a:1,b:2", ("a:1", "b:2")),
        ("a:1, b:2", ("a:1", "b:2")),
        ("[::1]:7071,scheduler:7071", ("[::1]:7071", "scheduler:7071")),
    ],
)
def test_one_address_or_several(text: str, each: tuple[str, ...]) -> None:
    parsed = Settings(address=AddressList(text)).address
    assert (parsed, parsed.each) == (text, each)
    assert isinstance(Settings.model_validate({"address": text}).address, AddressList)


@pytest.mark.parametrize("text", ["", "a", "a:1,", ",a:1", "a:1,b", "a:70000"])
def test_what_is_no_address_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValidationError, match=r"10\.0\.0\.1:7071,10\.0\.0\.2:7071"):
        Settings.model_validate({"address": text})


def test_an_address_that_stands_there_twice_is_refused() -> None:
    with pytest.raises(ValidationError, match="twice"):
        Settings.model_validate({"address": "a:1,b:2,a:1"})
