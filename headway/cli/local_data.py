"""A data file of this machine that a job names: uploaded, so that the gateway need not lie on the same machine."""

from dataclasses import replace
from pathlib import Path

from headway.cli.jobfile.load import JobFile
from headway.cli.transfers import TransferBar
from headway.cli.view.consoles import say
from headway.client import HeadwayClient
from headway.v1.job_specs_pb2 import JobSpec


async def upload_named_data(client: HeadwayClient, job_file: JobFile) -> JobFile:
    """The job file with its local `data_path` replaced by a dataset; the same file when it names none.

    A path counts as local when it leads to a file from the job file's folder, or from where the command runs. Otherwise
    it is the gateway's: a file below its data root.
    """
    data_path = job_file.spec.tabular_train.data_path
    found = find_local(data_path, job_file.folder) if data_path else None
    if found is None:
        return job_file
    with TransferBar() as bar:
        dataset = await client.datasets.upload(found, on_progress=bar.show)
    say(f"{data_path} is a file of this machine: taken as {dataset.name}, version {dataset.version}", "dim")
    spec = JobSpec()
    spec.CopyFrom(job_file.spec)
    spec.tabular_train.ClearField("data_path")
    spec.tabular_train.dataset = dataset.name
    spec.tabular_train.dataset_version = dataset.version
    return replace(job_file, spec=spec)


def find_local(data_path: str, folder: Path) -> Path | None:
    """The file of this machine that a data path leads to; None when there is none."""
    if "://" in data_path:
        return None
    path = Path(data_path).expanduser()
    candidates = [path] if path.is_absolute() else [folder / path, Path.cwd() / path]
    return next((candidate for candidate in candidates if candidate.is_file()), None)
