"""Data files of this machine that a job names: uploaded, so that the gateway need not lie on the same machine."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from google.protobuf.message import Message

from headway.cli.jobfile.faults import InvalidJobFile
from headway.cli.jobfile.load import JobFile
from headway.cli.transfers import TransferBar
from headway.cli.view.consoles import say
from headway.client import HeadwayClient
from headway.v1.datasets_pb2 import Dataset
from headway.v1.job_specs_pb2 import JobSpec


@dataclass(frozen=True, slots=True)
class DataPlace:
    """A place of a spec that names a table.

    Attributes:
        message: the part of the spec.
        path_field: names a file.
        dataset_field: names a dataset instead.
        version_field: the dataset's version; empty where the spec has none, and takes the newest.
    """

    message: Message
    path_field: str
    dataset_field: str
    version_field: str = ""

    @property
    def path(self) -> str:
        """The path that is named; empty for none."""
        return str(getattr(self.message, self.path_field))

    def take(self, dataset: str, version: int) -> None:
        """Name a dataset where the path stood."""
        self.message.ClearField(self.path_field)
        setattr(self.message, self.dataset_field, dataset)
        if self.version_field:
            setattr(self.message, self.version_field, version)


async def upload_named_data(client: HeadwayClient, job_file: JobFile) -> JobFile:
    """The job file with its local paths replaced by datasets; the same content when it names none.

    A path counts as local when it leads to a file from the job file's folder, or from where the command runs. Otherwise
    it is the gateway's: a file below its data root.

    Raises:
        InvalidJobFile: a field that takes the newest version of a dataset names a file that is an older one.
        RemoteError: an upload was refused, or the gateway stayed away.
    """
    spec = JobSpec()
    spec.CopyFrom(job_file.spec)
    for place in data_places(spec):
        data_path = place.path
        found = find_local(data_path, job_file.folder) if data_path else None
        if found is None:
            continue
        with TransferBar() as bar:
            dataset = await client.datasets.upload(found, on_progress=bar.show)
        say(f"{data_path} is a file of this machine: taken as {dataset.name}, version {dataset.version}", "dim")
        if not place.version_field:
            await _check_newest(client, data_path, dataset)
        place.take(dataset.name, dataset.version)
    return replace(job_file, spec=spec)


async def _check_newest(client: HeadwayClient, data_path: str, taken: Dataset) -> None:
    """A field without a version takes the newest, and that must be this file."""
    newest = await client.datasets.get(taken.name)
    if newest.version != taken.version:
        raise InvalidJobFile(
            f"{data_path} is version {taken.version} of {taken.name}, whose newest is {newest.version}; upload it with "
            "`headway datasets upload --id` under an id of its own, and name that"
        )


def data_places(spec: JobSpec) -> Iterator[DataPlace]:
    """Where a spec names tables; none for a kind that takes no table."""
    kind = spec.WhichOneof("kind")
    if kind == "tabular_train":
        yield DataPlace(spec.tabular_train, "data_path", "dataset", "dataset_version")
    if kind == "tabular_distill":
        yield DataPlace(spec.tabular_distill.training, "data_path", "dataset", "dataset_version")
        yield DataPlace(spec.tabular_distill, "unlabelled_data_path", "unlabelled_dataset")


def find_local(data_path: str, folder: Path) -> Path | None:
    """The file of this machine that a data path leads to; None when there is none."""
    if "://" in data_path:
        return None
    path = Path(data_path).expanduser()
    candidates = [path] if path.is_absolute() else [folder / path, Path.cwd() / path]
    return next((candidate for candidate in candidates if candidate.is_file()), None)
