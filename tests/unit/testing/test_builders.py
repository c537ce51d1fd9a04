from headway.contract.ids import HostName, JobName
from headway.contract.kinds import kind_of
from headway.testing.builders import a_claimed_record, a_host, a_job, a_record, a_spec
from headway.v1.job_specs_pb2 import EXECUTION_MODE_HOST
from headway.v1.jobs_pb2 import JOB_STATE_QUEUED, JOB_STATE_RUNNING


def test_a_record_is_one_that_admission_could_have_written() -> None:
    record = a_record()

    assert JobName.parse(record.job.name).project == "demo"
    assert (record.job.state, record.job.kind, record.next_transition) == (JOB_STATE_QUEUED, "tabular_train", 2)
    assert kind_of(record.job.spec) == record.job.kind
    assert a_record().job.name != record.job.name, "each is another job"


def test_a_claimed_record_continues_the_one_it_is_given() -> None:
    queued = a_record(a_spec(priority=3))
    claimed = a_claimed_record(queued, host=a_host("berta"), mode=EXECUTION_MODE_HOST)

    assert claimed.job.name == queued.job.name
    assert (claimed.job.state, claimed.job.attempt, claimed.job.host) == (JOB_STATE_RUNNING, 1, "hosts/berta")
    assert claimed.job.mode == EXECUTION_MODE_HOST
    assert queued.job.state == JOB_STATE_QUEUED, "and leaves that one alone"


def test_a_job_is_the_job_of_its_record() -> None:
    record = a_record()

    assert a_job(record) == record.job
    assert a_job().state == JOB_STATE_QUEUED


def test_a_host_can_run_what_it_says() -> None:
    host = a_host("berta", gpus=("T4", "T4"), kinds=("custom",))

    assert HostName.parse(host.name).host_id == "berta"
    assert [device.id for device in host.devices] == ["cuda:0", "cuda:1"]
    assert [(recipe.kind, recipe.available) for recipe in host.recipes] == [("custom", True)]
