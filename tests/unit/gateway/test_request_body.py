"""Telling a repeat from another request."""

from gateway.request_body import MAX_NAMED_FIELDS, body_digest, differing_fields
from headway.v1.job_specs_pb2 import CustomSpec, EvalPolicy, JobSpec, ResourceSpec, TabularTask
from headway.v1.jobs_service_pb2 import CreateJobRequest
from tests.unit.gateway.builders import a_request, a_spec, a_tabular_spec


def test_request_id_and_validate_only_are_not_part_of_the_body() -> None:
    assert body_digest(a_request(request_id="a")) == body_digest(a_request(request_id="b", validate_only=True))


def test_any_other_change_is() -> None:
    other_parent = a_request()
    other_parent.parent = "projects/other"
    bodies = [
        a_request(),
        other_parent,
        a_request(a_spec(priority=1)),
        a_request(a_spec(a_tabular_spec(epochs=500))),  # the default, said aloud
    ]
    assert len({body_digest(body) for body in bodies}) == len(bodies)


def test_the_order_of_map_entries_does_not_count() -> None:
    one, other = (
        a_spec(eval_policy=EvalPolicy(min_scores=dict(pairs)))
        for pairs in ([("a", 1.0), ("b", 2.0)], [("b", 2.0), ("a", 1.0)])
    )
    assert body_digest(a_request(one)) == body_digest(a_request(other))
    assert differing_fields(one, other, "job.spec") == []


def test_the_digest_survives_the_wire() -> None:
    request = a_request()
    assert body_digest(CreateJobRequest.FromString(request.SerializeToString())) == body_digest(request)


def test_differing_fields_are_named_by_their_path() -> None:
    before = a_spec(
        a_tabular_spec(epochs=3, exclude_columns=["a"]), tags=["x"], resource_spec=ResourceSpec(gpu_count=1)
    )
    after = a_spec(a_tabular_spec(task=TabularTask.TABULAR_TASK_REGRESSION), tags=["y"], resource_spec=ResourceSpec())
    assert differing_fields(before, after, "job.spec") == [
        "job.spec.resource_spec.gpu_count",
        "job.spec.tags",
        "job.spec.tabular_train.task",
        "job.spec.tabular_train.exclude_columns",
        "job.spec.tabular_train.epochs",
    ]


def test_another_kind_is_a_difference() -> None:
    after = JobSpec(custom=CustomSpec(kind="toy"))
    assert differing_fields(a_spec(), after, "job.spec") == ["job.spec.tabular_train", "job.spec.custom"]


def test_very_many_differences_are_cut() -> None:
    after = a_tabular_spec(
        **dict.fromkeys(("epochs", "batch_size", "hidden_dim", "num_hidden_layers", "random_seed"), 1),
        **dict.fromkeys(("test_size", "learning_rate", "dropout"), 0.5),
        **dict.fromkeys(("data_path", "sheet_name", "device", "training_mode", "model_id", "target_column"), "x"),
        exclude_columns=["x"],
        date_columns=["x"],
        save_model=False,
        dataset_version=1,
    )
    assert len(differing_fields(a_spec(), a_spec(after), "job.spec")) == MAX_NAMED_FIELDS
