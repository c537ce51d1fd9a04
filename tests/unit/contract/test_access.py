"""Which key may call which method."""

from headway.contract.access import METHOD_SCOPES, Scope, may_call, may_touch
from headway.v1 import (
    blobs_service_pb2,
    datasets_service_pb2,
    jobs_service_pb2,
    models_service_pb2,
    results_service_pb2,
    scheduler_service_pb2,
    system_service_pb2,
    trainer_hosts_service_pb2,
)

FILES = (
    blobs_service_pb2,
    datasets_service_pb2,
    jobs_service_pb2,
    models_service_pb2,
    results_service_pb2,
    scheduler_service_pb2,
    system_service_pb2,
    trainer_hosts_service_pb2,
)


def test_every_method_has_a_scope_and_every_scope_a_method() -> None:
    """P29: a method without a scope would be open or dead."""
    methods = {
        f"/{service.full_name}/{method.name}"
        for file in FILES
        for service in file.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }
    assert set(METHOD_SCOPES) == methods
    assert set().union(*METHOD_SCOPES.values()) == set(Scope)


def test_admin_includes_all_scopes_and_others_do_not() -> None:
    needed = frozenset({Scope.CONTROL})
    assert may_call(frozenset({"admin"}), needed)
    assert may_call(frozenset({"control"}), needed)
    assert not may_call(frozenset({"read", "host"}), needed)


def test_a_key_touches_its_own_projects_alone() -> None:
    assert may_touch(frozenset({"*"}), "p")
    assert may_touch(frozenset({"p"}), "p")
    assert not may_touch(frozenset({"q"}), "p")
