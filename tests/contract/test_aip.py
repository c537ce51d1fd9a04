"""Each rule of aip.py, seen to refuse what it is there to refuse, and to let pass a small proto that keeps them all."""

import pytest

from tests.contract import aip
from tests.contract.proto_files import compile_sources

GOOD = """
    service JobService {
      rpc GetJob(GetJobRequest) returns (Job) { option (google.api.http) = {get: "/v1/{name=projects/*/jobs/*}"}; }
      rpc ListJobs(ListJobsRequest) returns (ListJobsResponse) {
        option (google.api.http) = {get: "/v1/{parent=projects/*}/jobs"};
      }
      rpc CancelJob(GetJobRequest) returns (Job) {
        option (google.api.http) = {post: "/v1/{name=projects/*/jobs/*}:cancel" body: "*"};
      }
      rpc UploadBlob(stream GetJobRequest) returns (Job);
    }
    message Job {
      option (google.api.resource) = {type: "headway.dev/Job" pattern: "projects/{project}/jobs/{job}"};
      string name = 1 [(google.api.field_behavior) = IDENTIFIER];
      string state = 2 [(google.api.field_behavior) = OUTPUT_ONLY];
      google.protobuf.Timestamp create_time = 3 [(google.api.field_behavior) = OUTPUT_ONLY];
      google.protobuf.Duration time_limit = 4 [(google.api.field_behavior) = OPTIONAL];
      map<string, string> tags = 5 [(google.api.field_behavior) = OPTIONAL];
    }
    message GetJobRequest {
      string name = 1 [(google.api.field_behavior) = REQUIRED];
      Job job = 2 [(google.api.field_behavior) = OPTIONAL];
    }
    message ListJobsRequest {
      string parent = 1 [(google.api.field_behavior) = REQUIRED];
      int32 page_size = 2 [(google.api.field_behavior) = OPTIONAL];
      string page_token = 3 [(google.api.field_behavior) = OPTIONAL];
      string filter = 4 [(google.api.field_behavior) = OPTIONAL];
      string order_by = 5 [(google.api.field_behavior) = OPTIONAL];
    }
    message ListJobsResponse { repeated Job jobs = 1; string next_page_token = 2; }
    """

# What to replace in GOOD, by what, the rule that should object, and what it should say.
BREAKS: list[tuple[str, str, aip.Rule, str]] = [
    (
        "int32 page_size = 2",
        "int64 page_size = 2",
        aip.lists_have_pages_filter_and_order,
        "ListJobsRequest: needs `int32 page_size`",
    ),
    (
        "string order_by",
        "string sorting",
        aip.lists_have_pages_filter_and_order,
        "ListJobsRequest: needs `string order_by`",
    ),
    (
        "string next_page_token = 2;",
        "",
        aip.lists_have_pages_filter_and_order,
        "ListJobsResponse: needs `string next_page_token`",
    ),
    (
        "repeated Job jobs = 1;",
        "Job jobs = 1;",
        aip.lists_have_pages_filter_and_order,
        "ListJobsResponse: field 1 should be the page, repeated",
    ),
    (
        "string page_token = 3 [(google.api.field_behavior) = OPTIONAL];",
        "string page_token = 3;",
        aip.request_fields_say_their_behavior,
        "ListJobsRequest.page_token: needs google.api.field_behavior",
    ),
    (
        "tags = 5 [(google.api.field_behavior) = OPTIONAL];",
        "tags = 5;",
        aip.request_fields_say_their_behavior,
        "Job.tags: needs google.api.field_behavior",
    ),
    (
        "google.protobuf.Timestamp create_time",
        "int64 create_time",
        aip.times_and_durations_have_their_types,
        "Job.create_time: a *_time should be a Timestamp, and is int64",
    ),
    (
        "Timestamp create_time",
        "Timestamp created",
        aip.times_and_durations_have_their_types,
        "Job.created: a Timestamp should be named *_time",
    ),
    (
        "Duration time_limit",
        "Duration limit_seconds",
        aip.times_and_durations_have_their_types,
        "Job.limit_seconds: a Duration needs no unit in its name, and is no time",
    ),
    (
        "string state = 2",
        "int32 step_count = 2",
        aip.quantities_are_named_by_unit,
        "Job.step_count: a count should begin with num_",
    ),
    (
        "string state = 2",
        "int32 memory_mb = 2",
        aip.quantities_are_named_by_unit,
        "Job.memory_mb: spell the unit out (_seconds, _bytes, _mib), or use a Duration",
    ),
    (
        'option (google.api.http) = {get: "/v1/{parent=projects/*}/jobs"};',
        "",
        aip.methods_have_http_annotations,
        "ListJobs: needs google.api.http",
    ),
    (
        "rpc CancelJob(GetJobRequest)",
        "rpc CancelJob(stream GetJobRequest)",
        aip.methods_have_http_annotations,
        "CancelJob: HTTP cannot carry a client stream",
    ),
    (
        '{get: "/v1/{name=projects/*/jobs/*}"}',
        '{post: "/v1/{name=projects/*/jobs/*}" body: "*"}',
        aip.http_annotations_fit_their_methods,
        "GetJob: should be GET, and is POST",
    ),
    (
        ' body: "*"',
        "",
        aip.http_annotations_fit_their_methods,
        "CancelJob: a POST needs a body",
    ),
    (
        '"/v1/{parent=projects/*}/jobs"',
        '"/v1/{parent=projects/*}/jobs" body: "*"',
        aip.http_annotations_fit_their_methods,
        "ListJobs: a GET has no body",
    ),
    (
        '"/v1/{parent=projects/*}/jobs"',
        '"/{parent=projects/*}/jobs"',
        aip.http_annotations_fit_their_methods,
        "ListJobs: the path /{parent=projects/*}/jobs should begin with /v1/",
    ),
    (
        "/v1/{parent=",
        "/v1/{project=",
        aip.http_annotations_fit_their_methods,
        "ListJobs: project in the path is no field of ListJobsRequest",
    ),
    (
        "rpc CancelJob",
        "rpc CancelJobByName",
        aip.methods_are_verb_and_noun,
        "CancelJobByName: no prepositions in the name of a method",
    ),
    (
        "rpc CancelJob",
        "rpc Cancel",
        aip.methods_are_verb_and_noun,
        "Cancel: should be a verb and a noun",
    ),
    (
        "headway.dev/Job",
        "example.com/Job",
        aip.resources_have_names,
        "Job: its resource type should be headway.dev/Job",
    ),
    (
        ' pattern: "projects/{project}/jobs/{job}"',
        "",
        aip.resources_have_names,
        "Job: needs a resource pattern",
    ),
    (
        "string name = 1 [(google.api.field_behavior) = IDENTIFIER];",
        "string id = 1 [(google.api.field_behavior) = IDENTIFIER];",
        aip.resources_have_names,
        "Job: field 1 should be `string name`",
    ),
    (
        "= IDENTIFIER",
        "= REQUIRED",
        aip.resources_have_names,
        "Job.name: should be IDENTIFIER",
    ),
    (
        "= OUTPUT_ONLY",
        "= OPTIONAL",
        aip.states_belong_to_the_services,
        "Job.state: a state should be OUTPUT_ONLY",
    ),
    (
        "string state",
        "string job_status",
        aip.states_belong_to_the_services,
        "Job.job_status: should be called state; status is gRPC's",
    ),
    (
        "string parent = 1 [(google.api.field_behavior) = REQUIRED]",
        "string parent = 1 [(google.api.field_behavior) = OPTIONAL]",
        aip.addressed_resources_are_required,
        "ListJobsRequest.parent: should be a REQUIRED string",
    ),
]


@pytest.mark.parametrize("rule", aip.RULES, ids=lambda rule: rule.__name__)
def test_a_good_proto_keeps_the_rule(rule: aip.Rule) -> None:
    assert list(rule(compile_sources({"good": GOOD}))) == []


@pytest.mark.parametrize(("old", "new", "rule", "complaint"), BREAKS, ids=[broken[3] for broken in BREAKS])
def test_a_broken_proto_is_refused(old: str, new: str, rule: aip.Rule, complaint: str) -> None:
    assert old in GOOD, "the replacement should change something"
    assert list(rule(compile_sources({"bad": GOOD.replace(old, new, 1)}))) == [complaint]


def test_every_rule_has_a_proto_that_breaks_it() -> None:
    assert {rule for _, _, rule, _ in BREAKS} == set(aip.RULES)
