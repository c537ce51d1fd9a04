"""What the chains of both tabular kinds do alike."""

import pytest

from gateway.validation.tabular_steps import (
    NO_HOST_WARNING,
    check_batch_fits,
    model_id_of,
    runtime_available,
    table_of,
)
from headway.contract.errors import FieldRequired, InvalidModelId, OutOfRange, RuntimeUnavailable
from headway.v1.job_specs_pb2 import JobSpec, TabularTrainSpec
from tests.unit.gateway.builders import FakeWorld, a_distill_spec, a_draft, a_host, a_table, a_tabular_spec


def test_hosts_that_are_up_and_cannot_train_are_told_by_number() -> None:
    with pytest.raises(RuntimeUnavailable) as caught:
        runtime_available(a_draft(), FakeWorld(up=[a_host(has_torch=False), a_host(has_torch=False)]))
    assert caught.value.metadata["num_hosts"] == "2"


def test_with_no_host_the_job_waits_and_is_told_why() -> None:
    draft = a_draft()
    runtime_available(draft, FakeWorld(up=[]))
    assert draft.warnings == [NO_HOST_WARNING]


def test_a_host_of_an_older_release_can_train_but_not_this_kind() -> None:
    draft = a_draft(JobSpec(tabular_distill=a_distill_spec()), kind="tabular_distill")
    runtime_available(draft, FakeWorld(up=[a_host(kinds=frozenset({"tabular_train"}))]))
    assert len(draft.warnings) == 1
    assert "tabular_distill" in draft.warnings[0]


async def test_without_a_table_both_ways_to_name_one_are_told() -> None:
    with pytest.raises(FieldRequired) as caught:
        await table_of(a_draft(), FakeWorld(), TabularTrainSpec(), "p")
    assert caught.value.violations[0].field == "p.data_path"
    assert "dataset" in caught.value.violations[0].allowed


def test_a_result_is_registered_under_the_jobs_id_unless_another_is_given_or_none_is_wanted() -> None:
    draft = a_draft()
    assert model_id_of(draft, a_tabular_spec(), "p") == draft.job_id
    assert model_id_of(draft, a_tabular_spec(model_id="mine"), "p") == "mine"
    assert model_id_of(draft, a_tabular_spec(model_id="mine", save_model=False), "p") == ""
    with pytest.raises(InvalidModelId):
        model_id_of(draft, a_tabular_spec(model_id="../x", save_model=False), "p")


def test_only_a_chosen_batch_can_be_too_large_for_the_table() -> None:
    draft = a_draft(table=a_table(num_rows=20))
    check_batch_fits(draft, a_tabular_spec(), "p")
    check_batch_fits(draft, a_tabular_spec(batch_size=20), "p")
    with pytest.raises(OutOfRange):
        check_batch_fits(draft, a_tabular_spec(batch_size=21), "p")
