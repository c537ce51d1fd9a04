import pickle
import zipfile
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

from gateway.forbidden_content import START_BYTES, check_not_forbidden
from headway.contract.errors import ForbiddenContent


def refuse(content: bytes) -> None:
    check_not_forbidden("weights", content[:START_BYTES], content[-START_BYTES:])


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
        lambda inner: st.lists(inner, min_size=1) | st.dictionaries(st.text(), inner, min_size=1),
        max_leaves=5,
    ),
    st.integers(2, pickle.HIGHEST_PROTOCOL),
)
def test_every_pickle_that_says_its_protocol_is_seen(value: object, protocol: int) -> None:
    with pytest.raises(ForbiddenContent):
        refuse(pickle.dumps(value, protocol))


class _Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (print, ("executed",))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_that_would_run_code_is_seen_in_every_protocol(protocol: int) -> None:
    with pytest.raises(ForbiddenContent):
        refuse(pickle.dumps(_Evil(), protocol))
    with pytest.raises(ForbiddenContent):
        refuse(pickle.dumps({"a": _Evil()}, protocol) + b"\n")


def test_what_torch_and_numpy_save_as_zip_is_seen() -> None:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", b"")
    with pytest.raises(ForbiddenContent):
        refuse(buffer.getvalue())


@pytest.mark.parametrize(
    "path", ["model.pt", "model.PT", "a/b.pkl", "model.bin", "x.npz", "x.tar.gz", "x.zip", "x.ckpt"]
)
def test_the_names_of_such_files_are_enough(path: str) -> None:
    with pytest.raises(ForbiddenContent):
        check_not_forbidden(path, b"harmless", b"harmless")


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("model.safetensors", save({"a": np.zeros(3, "float32")})),
        ("model.json", b'{"format": 1}'),
        ("list.json", b"[1, 2]"),
        ("history.csv", b"epoch,loss\n1,0.5\n"),
        ("codes.csv", b"code\ncat\ndog\n"),
        ("loss.svg", b"<svg></svg>"),
        ("logs.jsonl", b""),
        ("README.md", b"(a list)\n"),
        ("README.md", b"# Model\n"),
        ("text.txt", b"import os\n"),
    ],
)
def test_plain_files_pass(path: str, content: bytes) -> None:
    check_not_forbidden(path, content[:START_BYTES], content[-START_BYTES:])
