import io
import json
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load, save

from gateway.safetensors_header import PARSED_HEADER_MAX_BYTES, read_header
from gateway.state_dicts import check_state_dict
from headway.contract.digests import sha256_of
from headway.contract.errors import HeadwayError, InvalidSafetensors, InvalidTensor, TooManyTensors
from tests.result_bundles import AN_ARCHITECTURE, tensors_of


def checked(content: bytes) -> str:
    return check_state_dict(io.BytesIO(content), len(content), None)


def a_file(header: object, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def test_a_state_dict_of_the_architecture_passes_with_its_digest() -> None:
    content = save(tensors_of())
    file = io.BytesIO(content)
    assert check_state_dict(file, len(content), AN_ARCHITECTURE) == sha256_of(content)


@given(
    st.dictionaries(
        st.from_regex(r"[a-z]{1,8}", fullmatch=True),
        st.tuples(
            st.sampled_from(["float64", "float32", "float16", "int64", "int8", "uint8", "bool"]),
            st.lists(st.integers(0, 4), max_size=3),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_whatever_the_library_writes_is_read_as_it_reads_it(tensors: dict[str, tuple[str, list[int]]]) -> None:
    content = save({name: np.ones(shape, dtype) for name, (dtype, shape) in tensors.items()})
    header = read_header(io.BytesIO(content), len(content))
    assert {entry.name: entry.shape for entry in header.entries} == {
        name: tensor.shape for name, tensor in load(content).items()
    }
    checked(content)


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_a_refusal(content: bytes) -> None:
    with pytest.raises((InvalidSafetensors, InvalidTensor)):
        checked(content)


@given(st.data())
def test_a_spoiled_file_is_refused_or_as_the_library_reads_it(data: st.DataObject) -> None:
    content = bytearray(save({"a": np.arange(3, dtype="float32"), "b": np.arange(2, dtype="int64")}))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        checked(bytes(content))
    except HeadwayError:
        return
    assert load(bytes(content))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@pytest.mark.parametrize("at", [0, -1])
def test_a_number_that_is_not_finite_is_found_wherever_it_is(dtype: str, value: float, at: int) -> None:
    numbers = np.ones(3_000_000, dtype)
    numbers[at] = value
    with pytest.raises(InvalidTensor, match="not finite"):
        checked(save({"first": np.zeros(1, dtype), "numbers": numbers}))


@pytest.mark.parametrize("bits", [0x7F80, 0xFF80, 0x7FC0])
def test_a_bfloat16_that_is_not_finite_is_found(bits: int) -> None:
    described = {"a": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}
    checked(a_file(described, struct.pack("<HH", 0x3F80, 0x7F7F)))
    with pytest.raises(InvalidTensor, match="not finite"):
        checked(a_file(described, struct.pack("<HH", 0x3F80, bits)))


def test_the_file_is_read_once_and_not_beyond_its_size() -> None:
    content = save({"a": np.zeros(3, "float32")})
    with pytest.raises(InvalidSafetensors):
        check_state_dict(io.BytesIO(content + b"x"), len(content) + 1, None)
    with pytest.raises(InvalidSafetensors, match="ends early"):
        check_state_dict(io.BytesIO(content[:-1]), len(content), None)


def test_a_header_that_is_too_long_to_parse_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        pytest.fail("the header was parsed")

    monkeypatch.setattr(json, "loads", never)
    tensors = b",".join(b'"t%d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}' % at for at in range(100_001))
    with pytest.raises(TooManyTensors):
        checked(a_file(b"{" + tensors + b"}"))
    with pytest.raises(InvalidSafetensors):
        checked(a_file(b"{" + b" " * PARSED_HEADER_MAX_BYTES + b"}"))
