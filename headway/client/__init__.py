"""The SDK: an async client of the gateway."""

from headway.client.client import HeadwayClient
from headway.client.datasets import Datasets
from headway.client.downloads import FolderInUse
from headway.client.jobs import Jobs
from headway.client.locate import Target, locate
from headway.client.models import Models
from headway.client.retries import Patience
from headway.client.rows import RowsToAnswer
from headway.client.system import Hosts, System
from headway.runtime.remote_error import RemoteError

__all__ = [
    "Datasets",
    "FolderInUse",
    "HeadwayClient",
    "Hosts",
    "Jobs",
    "Models",
    "Patience",
    "RemoteError",
    "RowsToAnswer",
    "System",
    "Target",
    "locate",
]
