"""Which key may call which method."""

from enum import StrEnum


class Scope(StrEnum):
    """What a key may do. `admin` includes all the others."""

    READ = "read"
    SUBMIT = "submit"
    CONTROL = "control"
    HOST = "host"
    ADMIN = "admin"


ALL_PROJECTS = "*"

METHOD_SCOPES: dict[str, frozenset[Scope]] = {
    f"/headway.v1.{method}": frozenset(scopes)
    for method, scopes in {
        "JobService/CreateJob": {Scope.SUBMIT},
        "JobService/GetJob": {Scope.READ},
        "JobService/ListJobs": {Scope.READ},
        "JobService/CancelJob": {Scope.CONTROL},
        "JobService/PauseJob": {Scope.CONTROL},
        "JobService/ResumeJob": {Scope.CONTROL},
        "JobService/SetJobPriority": {Scope.CONTROL},
        "JobService/WatchJob": {Scope.READ},
        "JobService/TailLogs": {Scope.READ},
        "JobService/ExplainJob": {Scope.READ},
        "DatasetService/CreateDataset": {Scope.SUBMIT},
        "DatasetService/GetDataset": {Scope.READ},
        "DatasetService/ListDatasets": {Scope.READ},
        "DatasetService/PreviewDataset": {Scope.READ},
        "ModelService/GetModel": {Scope.READ},
        "ModelService/GetModelVersion": {Scope.READ},
        "ModelService/ListModels": {Scope.READ},
        "ModelService/DownloadModelVersion": {Scope.READ},
        "ModelService/Predict": {Scope.SUBMIT},
        "BlobService/FindMissingBlobs": {Scope.SUBMIT, Scope.HOST},
        "BlobService/UploadBlob": {Scope.SUBMIT, Scope.HOST},
        "BlobService/QueryUpload": {Scope.SUBMIT, Scope.HOST},
        "BlobService/DownloadBlob": {Scope.READ, Scope.HOST},
        "ResultService/CommitResult": {Scope.HOST},
        "ResultService/CommitCheckpoint": {Scope.HOST},
        "ResultService/ReportTelemetry": {Scope.HOST},
        "SystemService/GetExecutionConfig": {Scope.READ},
        "SystemService/UpdateExecutionConfig": {Scope.ADMIN},
        "SystemService/ListHosts": {Scope.READ},
        "SystemService/EnrollHost": {Scope.ADMIN},
        "SchedulerService/Synchronize": {Scope.HOST},
        "SchedulerService/SelectMode": {Scope.READ},
        "SchedulerService/Explain": {Scope.READ},
        "TrainerHostService/GetHost": {Scope.READ},
        "TrainerHostService/ListAttempts": {Scope.READ},
        "TrainerHostService/GetAttempt": {Scope.READ},
        "TrainerHostService/FetchResult": {Scope.ADMIN},
    }.items()
}
"""Full method name to the scopes of which a key needs one. A method that is not here is refused."""


def may_call(scopes: frozenset[str], needed: frozenset[Scope]) -> bool:
    """Whether a key with these scopes may call a method that needs one of `needed`."""
    return Scope.ADMIN in scopes or not needed.isdisjoint(scopes)


def may_touch(projects: frozenset[str], project: str) -> bool:
    """Whether a key bound to these projects may touch `project`."""
    return ALL_PROJECTS in projects or project in projects
