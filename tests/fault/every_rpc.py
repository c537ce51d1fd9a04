"""Every RPC of headway as a call that can be lost: what is sent, to whom, and what must not be done twice."""

from collections.abc import Sequence
from dataclasses import dataclass

from google.protobuf.message import Message

from headway.contract.digests import sha256_of
from headway.contract.host_facts import facts_of
from headway.contract.transitions import claim
from headway.runtime.clock import SystemClock
from headway.testing.builders import a_host, a_record
from headway.testing.toy_recipe import ToySpec
from headway.v1 import blobs_service_pb2 as blobs
from headway.v1 import datasets_service_pb2 as datasets
from headway.v1 import jobs_service_pb2 as jobs
from headway.v1 import models_service_pb2 as models
from headway.v1 import results_service_pb2 as results
from headway.v1 import scheduler_service_pb2 as scheduler
from headway.v1 import system_service_pb2 as system
from headway.v1 import trainer_hosts_service_pb2 as hosts
from headway.v1.job_specs_pb2 import EXECUTION_MODE_LOCAL
from headway.v1.jobs_pb2 import Job, Progress, ResultSummary
from headway.v1.jobs_service_pb2 import LogLine
from headway.v1.records_pb2 import JobRecord
from tests.result_bundles import bundle_of, checkpoint_request, commit_request, upload_messages, with_manifest

GATEWAY, SCHEDULER, HOST = "gateway", "scheduler", "host"
PARENT = "projects/demo"
SERVICES = {
    GATEWAY: (jobs, datasets, models, blobs, results, system),
    SCHEDULER: (scheduler,),
    HOST: (hosts,),
}
SUMMARY = ResultSummary(task="toy", headline_metric="loss", headline_value=1.0, metrics={"loss": 1.0}, num_steps=1)
IRIS = b"a,b,c\n" + b"".join(b"%d,%d,x\n" % (row, row + 1) for row in range(40))


def every_method() -> dict[str, str]:
    """Which process serves each method, by `/headway.v1.Service/Method`."""
    return {
        f"/{service.full_name}/{method.name}": target
        for target, modules in SERVICES.items()
        for module in modules
        for service in module.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }


@dataclass(frozen=True, slots=True)
class Material:
    """What the calls are about; made anew for each way in which calls are lost.

    Attributes:
        tag: makes what is new in this way new.
        done: a job that has succeeded.
        busy: a job that a real host trains.
        queued: jobs that wait, one for each call that steers one.
        claimed: the record of a job that a host has which says nothing by itself.
    """

    tag: str
    done: Job
    busy: Job
    queued: Sequence[str]
    claimed: JobRecord

    @property
    def result(self) -> dict[str, bytes]:
        """The files of a result of the claimed job."""
        return with_manifest({"toy.json": b'{"loss": 1.0}'}, self.claimed)

    @property
    def checkpoint(self) -> dict[str, bytes]:
        """The files of a checkpoint of the claimed job."""
        return with_manifest({"toy.json": b'{"step": 1}'}, self.claimed)


def a_claimed_job() -> JobRecord:
    """Held by a host that is not there; nobody takes it away within a long lease."""
    now = SystemClock().now()
    record = a_record(ToySpec().job_spec(), now=now)
    return claim(record, host=facts_of(a_host("ghost")), mode=EXECUTION_MODE_LOCAL, fallback_reason="", now=now)


def calls(of: Material) -> dict[str, Sequence[Message]]:
    """What to send to each method."""
    return {**_job_calls(of), **_byte_calls(of), **_host_calls(of), **_system_calls(of)}


def _job_calls(of: Material) -> dict[str, Sequence[Message]]:
    service = "/headway.v1.JobService"
    job = Job(spec=ToySpec().job_spec())
    cancelled, paused, resumed, moved = of.queued
    return {
        f"{service}/CreateJob": [jobs.CreateJobRequest(parent=PARENT, job=job, request_id=f"lost-{of.tag}")],
        f"{service}/GetJob": [jobs.GetJobRequest(name=of.done.name)],
        f"{service}/ListJobs": [jobs.ListJobsRequest(parent=PARENT)],
        f"{service}/CancelJob": [jobs.CancelJobRequest(name=cancelled)],
        f"{service}/PauseJob": [jobs.PauseJobRequest(name=paused)],
        f"{service}/ResumeJob": [jobs.ResumeJobRequest(name=resumed)],
        f"{service}/SetJobPriority": [jobs.SetJobPriorityRequest(name=moved, priority=7)],
        f"{service}/WatchJob": [jobs.WatchJobRequest(name=of.done.name)],
        f"{service}/TailLogs": [jobs.TailLogsRequest(name=of.done.name)],
        f"{service}/ExplainJob": [jobs.ExplainJobRequest(name=moved)],
    }


def _byte_calls(of: Material) -> dict[str, Sequence[Message]]:
    content = IRIS + of.tag.encode()
    digest = sha256_of(content)
    dataset = f"{PARENT}/datasets/kept"
    version = of.done.result.model_version or f"{PARENT}/models/none/versions/v1"
    return {
        "/headway.v1.BlobService/FindMissingBlobs": [blobs.FindMissingBlobsRequest(parent=PARENT, digests=[digest])],
        "/headway.v1.BlobService/UploadBlob": list(upload_messages(content)),
        "/headway.v1.BlobService/QueryUpload": [blobs.QueryUploadRequest(parent=PARENT, digest=digest)],
        "/headway.v1.BlobService/DownloadBlob": [blobs.DownloadBlobRequest(parent=PARENT, digest=sha256_of(IRIS))],
        "/headway.v1.DatasetService/CreateDataset": [
            datasets.CreateDatasetRequest(
                parent=PARENT, dataset_id=f"new-{of.tag}", digest=sha256_of(IRIS), file_name="iris.csv"
            )
        ],
        "/headway.v1.DatasetService/GetDataset": [datasets.GetDatasetRequest(name=dataset)],
        "/headway.v1.DatasetService/ListDatasets": [datasets.ListDatasetsRequest(parent=PARENT)],
        "/headway.v1.DatasetService/PreviewDataset": [datasets.PreviewDatasetRequest(name=dataset)],
        "/headway.v1.ModelService/GetModel": [models.GetModelRequest(name=version.partition("/versions/")[0])],
        "/headway.v1.ModelService/GetModelVersion": [models.GetModelVersionRequest(name=version)],
        "/headway.v1.ModelService/ListModels": [models.ListModelsRequest(parent=PARENT)],
        "/headway.v1.ModelService/DownloadModelVersion": [models.DownloadModelVersionRequest(name=version)],
        "/headway.v1.ModelService/Predict": [models.PredictRequest(name=version, csv="a,b\n1,2\n")],
    }


def _host_calls(of: Material) -> dict[str, Sequence[Message]]:
    job, service = of.claimed.job, "/headway.v1.ResultService"
    telemetry = results.ReportTelemetryRequest(
        job=job.name,
        attempt=job.attempt,
        host=job.host,
        progress=Progress(step=1, attempt=job.attempt),
        lines=[LogLine(number=1, attempt=job.attempt, message="once")],
    )
    report = scheduler.AttemptReport(job=job.name, attempt=job.attempt)
    busy, attempt = of.busy.name, of.busy.attempt
    return {
        f"{service}/ReportTelemetry": [telemetry],
        f"{service}/CommitCheckpoint": [checkpoint_request(of.claimed, bundle_of(of.checkpoint), 1)],
        f"{service}/CommitResult": [commit_request(of.claimed, bundle_of(of.result), SUMMARY)],
        "/headway.v1.SchedulerService/Synchronize": [
            scheduler.SynchronizeRequest(host=a_host("ghost"), attempts=[report], sequence=1)
        ],
        "/headway.v1.TrainerHostService/GetHost": [hosts.GetHostRequest(name="hosts/self")],
        "/headway.v1.TrainerHostService/ListAttempts": [hosts.ListAttemptsRequest(parent="hosts/self")],
        "/headway.v1.TrainerHostService/GetAttempt": [hosts.GetAttemptRequest(job=busy, attempt=attempt)],
        "/headway.v1.TrainerHostService/FetchResult": [hosts.FetchResultRequest(job=busy, attempt=attempt)],
    }


def _system_calls(of: Material) -> dict[str, Sequence[Message]]:
    service = "/headway.v1.SystemService"
    config = system.ExecutionConfig(default_mode=EXECUTION_MODE_LOCAL)
    return {
        f"{service}/GetExecutionConfig": [system.GetExecutionConfigRequest()],
        f"{service}/UpdateExecutionConfig": [system.UpdateExecutionConfigRequest(config=config)],
        f"{service}/ListHosts": [system.ListHostsRequest()],
        f"{service}/EnrollHost": [system.EnrollHostRequest(host_id=f"new-{of.tag}")],
        "/headway.v1.SchedulerService/SelectMode": [scheduler.SelectModeRequest(kind="toy")],
        "/headway.v1.SchedulerService/Explain": [scheduler.ExplainRequest(job=of.queued[-1])],
    }
