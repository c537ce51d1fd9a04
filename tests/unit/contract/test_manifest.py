"""`manifest.json`."""

import pytest
from pydantic import ValidationError

from headway.contract.manifest import Manifest, ManifestArtifact, ManifestInput

MANIFEST = Manifest(
    job="projects/p/jobs/j",
    kind="tabular_train",
    attempt=1,
    spec={"tabular_train": {"target_column": "y"}},
    inputs=(ManifestInput(role="table", digest="sha256:x"),),
    artifacts=(ManifestArtifact(path="model.json", digest="sha256:y", size_bytes=3),),
)


def test_a_manifest_is_read_as_it_was_written() -> None:
    assert Manifest.model_validate_json(MANIFEST.model_dump_json()) == MANIFEST


def test_a_field_of_a_later_version_is_passed_over() -> None:
    later = MANIFEST.model_dump(mode="json") | {"colour": "red"}
    assert Manifest.model_validate(later) == MANIFEST


def test_a_negative_size_is_refused() -> None:
    with pytest.raises(ValidationError):
        ManifestArtifact(path="x", digest="y", size_bytes=-1)
