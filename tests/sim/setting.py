"""What every history shares: the jobs that there are, and what is replaced in production code to simulate it."""

from collections.abc import Iterator
from contextlib import contextmanager
from logging import CRITICAL
from unittest.mock import patch

import structlog

from headway.contract import transitions
from headway.testing.builders import a_spec
from headway.v1.job_specs_pb2 import EvalPolicy, JobSpec, Policies, ResourceSpec
from scheduler import events_publisher
from tests.sim.invariants import LOSSES_MAX
from tests.sim.store import WINDOW_SECONDS

MIN_SCORE = 0.5


def _specs() -> tuple[JobSpec, ...]:
    policies = Policies(retry_max=1)
    demanding = ResourceSpec(memory_mib=600)
    picky = a_spec(policies=policies)
    picky.eval_policy.CopyFrom(EvalPolicy(min_scores={"score": MIN_SCORE}))
    return (
        a_spec(policies=policies),
        a_spec(policies=policies, priority=5, resources=demanding),
        a_spec(policies=policies, priority=-5, resources=demanding),
        picky,
    )


SPECS = _specs()
"""Plain, demanding, modest and hard to please."""


@contextmanager
def simulated() -> Iterator[None]:
    """Quiet logs, files that are always whole, and a small budget of losses, for the length of the block."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(CRITICAL))
    with (
        patch.object(transitions, "LOSSES_MAX", LOSSES_MAX),
        patch.object(events_publisher, "_TRUSTED_SECONDS", WINDOW_SECONDS / 2),
        patch("gateway.commit.check_bundle", lambda *_: None),
        patch("gateway.commit.check_digest", lambda *_: None),
    ):
        try:
            yield
        finally:
            structlog.configure(**before)
