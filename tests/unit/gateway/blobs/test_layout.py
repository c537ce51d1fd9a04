from pathlib import Path

import pytest

from gateway.blobs.layout import BlobLayout
from headway.contract.digests import sha256_of

LAYOUT = BlobLayout(Path("root"))
DIGEST = sha256_of(b"x")


def test_a_blob_lies_under_its_project_and_digest() -> None:
    digits = DIGEST.removeprefix("sha256:")
    assert LAYOUT.blob("demo", DIGEST) == Path("root/demo/sha256") / digits[:2] / digits
    assert LAYOUT.kept("demo", DIGEST).parent == LAYOUT.new_part("demo", DIGEST).parent == LAYOUT.incoming("demo")


def test_each_upload_has_a_part_of_its_own() -> None:
    assert LAYOUT.new_part("demo", DIGEST) != LAYOUT.new_part("demo", DIGEST)
    assert LAYOUT.new_nameless_part("demo") != LAYOUT.new_nameless_part("demo")


@pytest.mark.parametrize("project", ["", "..", "a/b", "/abs", "A", "a\0", "a" * 64])
def test_no_other_text_becomes_a_folder(project: str) -> None:
    with pytest.raises(ValueError, match="cannot be part of a path"):
        LAYOUT.blob(project, DIGEST)


@pytest.mark.parametrize("digest", ["", "sha256:", "sha256:../../x", DIGEST.upper(), DIGEST + "0"])
def test_no_other_text_becomes_a_file(digest: str) -> None:
    with pytest.raises(ValueError, match="cannot be part of a path"):
        LAYOUT.blob("demo", digest)
