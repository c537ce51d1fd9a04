"""What every history shares: the jobs that there are, and what is replaced in production code to simulate it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from logging import CRITICAL
from unittest.mock import patch

import structlog

from headway.contract import record_changes, transitions
from headway.contract.times import duration
from headway.testing.builders import a_spec
from headway.v1.job_specs_pb2 import EvalPolicy, InferSpec, JobSpec, Policies, ResourceSpec
from tests.sim.invariants import LOSSES_MAX

MIN_SCORE = 0.5
MAX_RUNTIME = timedelta(seconds=2)
"""A wait or two of a history."""
TRANSITIONS_KEPT = 12
"""Fewer than in production, so that fifty steps can have more."""


def _specs() -> tuple[JobSpec, ...]:
    policies = Policies(retry_max=1)
    demanding = ResourceSpec(memory_mib=600)
    picky = a_spec(policies=policies)
    picky.eval_policy.CopyFrom(EvalPolicy(min_scores={"score": MIN_SCORE}))
    limited = Policies(retry_max=1, max_runtime=duration(MAX_RUNTIME))
    return (
        a_spec(policies=policies),
        a_spec(policies=policies, priority=5, resources=demanding),
        a_spec(policies=policies, priority=-5, resources=demanding),
        picky,
        a_spec(policies=limited),
        JobSpec(policies=policies, infer=InferSpec(model="projects/demo/models/iris/versions/latest")),
    )


SPECS = _specs()
"""Plain, demanding, modest, hard to please, not to be at work for long, and for the lane of inference."""


@contextmanager
def simulated() -> Iterator[None]:
    """Quiet logs, files that are always whole, and a small budget of losses, for the length of the block."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(CRITICAL))
    with (
        patch.object(transitions, "LOSSES_MAX", LOSSES_MAX),
        patch.object(record_changes, "TRANSITIONS_KEPT", TRANSITIONS_KEPT),
        patch("gateway.commit.check_bundle", lambda *_: None),
        patch("gateway.commit.check_digest", lambda *_: None),
    ):
        try:
            yield
        finally:
            structlog.configure(**before)
