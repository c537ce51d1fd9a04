"""The kinds of job, and what this release can do of each."""

from headway.v1.job_specs_pb2 import JobSpec

TABULAR_TRAIN = "tabular_train"
TABULAR_DISTILL = "tabular_distill"
INFER = "infer"
KINDS = (TABULAR_TRAIN, TABULAR_DISTILL, "tokenizer_train", "language_train", "evaluate", "custom", INFER)
"""Every member of `JobSpec.kind`."""
TABULAR_KINDS = frozenset({TABULAR_TRAIN, TABULAR_DISTILL})
"""Kinds whose bundle is a tabular model: `model.json`, `model.safetensors`, `preprocess.json`, `metrics.json`."""
IMPLEMENTED_KINDS = frozenset({*TABULAR_KINDS, "custom"})
"""Kinds that callers can submit in this release; the others answer KIND_UNAVAILABLE."""
INTERNAL_KINDS = frozenset({INFER})
"""Kinds that the gateway makes jobs of by itself, and that no caller can submit."""


def kind_of(spec: JobSpec) -> str:
    """The kind that a spec asks for: the oneof's member, or a custom kind's own name; empty when none is set."""
    member = spec.WhichOneof("kind")
    if member is None:
        return ""
    return spec.custom.kind if member == "custom" else member
