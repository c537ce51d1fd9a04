"""The kinds of job."""

from headway.contract.kinds import IMPLEMENTED_KINDS, INTERNAL_KINDS, KINDS, TABULAR_KINDS, kind_of
from headway.v1.job_specs_pb2 import CustomSpec, JobSpec, TabularTrainSpec


def test_every_member_of_the_oneof_is_a_kind() -> None:
    members = {field.name for field in JobSpec.DESCRIPTOR.oneofs_by_name["kind"].fields}
    assert set(KINDS) == members
    assert members >= IMPLEMENTED_KINDS >= TABULAR_KINDS


def test_what_callers_submit_and_what_the_gateway_makes_for_itself_are_apart() -> None:
    assert not IMPLEMENTED_KINDS & INTERNAL_KINDS
    assert set(KINDS) >= INTERNAL_KINDS


def test_the_kind_is_the_member_or_a_plug_ins_own_name() -> None:
    assert kind_of(JobSpec(tabular_train=TabularTrainSpec())) == "tabular_train"
    assert kind_of(JobSpec(custom=CustomSpec(kind="toy"))) == "toy"
    assert kind_of(JobSpec()) == ""
