"""`manifest.json`: the list inside a bundle, and all that is needed to make it again."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

MANIFEST_PATH = "manifest.json"
MODEL_PATH = "model.json"
WEIGHTS_PATH = "model.safetensors"


class ManifestArtifact(BaseModel):
    """One file of the bundle, `manifest.json` itself excepted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    """Relative path inside the bundle."""
    digest: str
    """`sha256:...` of the content."""
    size_bytes: int = Field(ge=0)
    """Size of the content."""


class ManifestInput(BaseModel):
    """One dataset that the attempt read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: str
    """What the recipe calls it, such as `table`."""
    digest: str
    """`sha256:...` of the file."""
    dataset: str = ""
    """`projects/{project}/datasets/{dataset}`."""
    version: int = 0
    """Its version."""
    format: str = ""
    """Its format, such as `csv`."""


class Manifest(BaseModel):
    """What a bundle holds and how it came to be. Reading one ignores fields of later versions."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    format: Literal[1] = 1
    """Version of this shape."""
    job: str
    """`projects/{project}/jobs/{job}`."""
    kind: str
    """The job's kind."""
    attempt: int = Field(ge=1)
    """Attempt that made it."""
    host: str = ""
    """`hosts/{host}` that made it."""
    spec: dict[str, JsonValue]
    """The job's spec as proto3 JSON with the field names of the proto."""
    inputs: tuple[ManifestInput, ...] = ()
    """What it read."""
    seed: int = 0
    """Seed of every random choice."""
    device: str = "cpu"
    """Device that it was trained on."""
    num_threads: int = Field(default=1, ge=1)
    """Threads of numerical code; the same number is needed for the same bits."""
    versions: dict[str, str] = Field(default_factory=dict)
    """Version by name: headway, python, torch, numpy ..."""
    artifacts: tuple[ManifestArtifact, ...]
    """Every other file of the bundle."""
