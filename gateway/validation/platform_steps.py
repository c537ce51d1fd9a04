"""The steps that come before any kind's own: rights, fields that all kinds share, and the place to run."""

from gateway.rights import require_project
from gateway.validation.chain import SPEC_PATH, Draft, Step, World
from headway.contract.errors import OutOfRange, Violation
from headway.contract.ids import check_request_id
from headway.contract.modes import select_mode, wish_of
from headway.contract.specs.job import check_common, check_kind

SPEC_MAX_BYTES = 128 * 1024
"""A spec shares its record with the job's history, and a record has to stay below 256 KiB for its whole life."""


def _authorise_project(draft: Draft, _world: World) -> None:
    require_project(draft.principal, draft.project)


def _request_id(draft: Draft, _world: World) -> None:
    if draft.request.HasField("request_id"):
        check_request_id("request_id", draft.request.request_id)


def _kind(draft: Draft, _world: World) -> None:
    draft.kind = check_kind(draft.spec, SPEC_PATH)


def _common_fields(draft: Draft, _world: World) -> None:
    size = draft.spec.ByteSize()
    if size > SPEC_MAX_BYTES:
        message, allowed = f"the spec has {size} bytes", f"at most {SPEC_MAX_BYTES} bytes"
        raise OutOfRange(message, violations=[Violation(SPEC_PATH, OutOfRange.reason, message, allowed)])
    check_common(draft.spec, SPEC_PATH)


def _execution_mode(draft: Draft, world: World) -> None:
    draft.selection = select_mode(wish_of(draft.spec, draft.kind), world.default_mode(), world.hosts())
    if draft.selection.fallback_reason:
        draft.warnings.append(draft.selection.fallback_reason)


DOOR_STEPS = (
    Step("authorise_project", _authorise_project),
    Step("request_id", _request_id),
)
"""Run before a repeated request_id is looked up."""

PLATFORM_STEPS = (
    Step("kind", _kind),
    Step("common_fields", _common_fields),
    Step("execution_mode", _execution_mode),
)
"""Run after the look-up and before the chain of the kind."""
