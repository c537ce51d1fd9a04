"""The kinds of job, and what this release can do of each."""

from headway.v1.job_specs_pb2 import JobSpec

TABULAR_TRAIN = "tabular_train"
KINDS = ("tabular_train", "tabular_distill", "tokenizer_train", "language_train", "evaluate", "custom")
"""Every member of `JobSpec.kind`."""
IMPLEMENTED_KINDS = frozenset({TABULAR_TRAIN, "custom"})
"""Kinds with a validation chain in this release; the others answer KIND_UNAVAILABLE."""


def kind_of(spec: JobSpec) -> str:
    """The kind that a spec asks for: the oneof's member, or a custom kind's own name; empty when none is set."""
    member = spec.WhichOneof("kind")
    if member is None:
        return ""
    return spec.custom.kind if member == "custom" else member
