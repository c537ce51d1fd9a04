"""Ids and resource names: how they look, how they are made, how they are read."""

import base64
import hashlib
import re
import secrets
from dataclasses import dataclass
from functools import cache
from typing import ClassVar, Self

from headway.contract.errors import InvalidArgument, InvalidModelId, InvalidName, InvalidRequestId, Violation, echo

PROJECT_PATTERN = r"[a-z][a-z0-9-]{0,62}"
JOB_PATTERN = r"j[a-z2-7]{25}"
RESOURCE_PATTERN = r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9_-])?"
HOST_PATTERN = r"[a-z0-9][a-z0-9-]{0,62}"
REQUEST_ID_PATTERN = r"[A-Za-z0-9._:-]{1,128}"
USER_ID_PATTERN = r"[A-Za-z0-9._@:+-]{1,128}"
VERSION_PATTERN = r"[a-z0-9]{1,32}"

_JOB_ID_LENGTH = 26
_BASE32 = bytes(b"abcdefghijklmnopqrstuvwxyz234567"[byte % 32] for byte in range(256))


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.ASCII)


def new_job_id() -> str:
    """A fresh random job id: `j` and 25 characters of base32, 125 bits."""
    # Five bits of each byte; base64.b32encode would take ten times as long, and every submission waits for it.
    return "j" + secrets.token_bytes(_JOB_ID_LENGTH - 1).translate(_BASE32).decode("ascii")


def job_id_for(project: str, request_id: str) -> str:
    """The job id of a request that names itself: the same for the same project and request_id, for ever."""
    return _job_id(hashlib.sha256(f"{project}\0{request_id}".encode()).digest()[:16])


def _job_id(entropy: bytes) -> str:
    return "j" + base64.b32encode(entropy).decode("ascii").lower()[: _JOB_ID_LENGTH - 1]


def record_key(project: str, resource_id: str) -> str:
    """Key of a dataset or model in its bucket; '.' is written '=' since two dots in a row are no key."""
    return f"{project}/{resource_id.replace('.', '=')}"


def check_project_id(field: str, text: str) -> str:
    """Return a well-formed project id, or raise InvalidName."""
    return _check(InvalidName, field, text, PROJECT_PATTERN)


def check_dataset_id(field: str, text: str) -> str:
    """Return a well-formed dataset id, or raise InvalidName."""
    return _check(InvalidName, field, text, RESOURCE_PATTERN)


def check_model_id(field: str, text: str) -> str:
    """Return a well-formed model id, or raise InvalidModelId."""
    return _check(InvalidModelId, field, text, RESOURCE_PATTERN)


def check_host_id(field: str, text: str) -> str:
    """Return a well-formed host id, or raise InvalidName."""
    return _check(InvalidName, field, text, HOST_PATTERN)


def check_request_id(field: str, text: str) -> str:
    """Return a well-formed request_id, or raise InvalidRequestId."""
    return _check(InvalidRequestId, field, text, REQUEST_ID_PATTERN)


def _check(error: type[InvalidArgument], field: str, text: str, pattern: str) -> str:
    if _compiled(pattern).fullmatch(text):
        return text
    message = f"{echo(text)} is not allowed here"
    raise error(message, violations=[Violation(field, error.reason, message, f"the pattern {pattern}")])


@dataclass(frozen=True, slots=True)
class ProjectName:
    """`projects/{project}`."""

    project: str

    @property
    def name(self) -> str:
        """The resource name."""
        return f"projects/{self.project}"

    @classmethod
    def parse(cls, text: str, *, field: str = "parent") -> Self:
        """Read a resource name; raises InvalidName with `field`."""
        return cls(*_parts(text, field, "projects/{project}", PROJECT_PATTERN))


@dataclass(frozen=True, slots=True)
class JobName:
    """`projects/{project}/jobs/{job}`."""

    project: str
    job_id: str

    @property
    def name(self) -> str:
        """The resource name."""
        return f"projects/{self.project}/jobs/{self.job_id}"

    @classmethod
    def parse(cls, text: str, *, field: str = "name") -> Self:
        """Read a resource name; raises InvalidName with `field`."""
        return cls(*_parts(text, field, "projects/{project}/jobs/{job}", PROJECT_PATTERN, JOB_PATTERN))


@dataclass(frozen=True, slots=True)
class _ProjectResource:
    project: str
    resource_id: str
    collection: ClassVar[str] = ""

    @property
    def name(self) -> str:
        """The resource name."""
        return f"projects/{self.project}/{self.collection}/{self.resource_id}"

    @property
    def key(self) -> str:
        """The key of its record."""
        return record_key(self.project, self.resource_id)

    @classmethod
    def parse(cls, text: str, *, field: str = "name") -> Self:
        """Read a resource name; raises InvalidName with `field`."""
        shape = f"projects/{{project}}/{cls.collection}/{{{cls.collection[:-1]}}}"
        return cls(*_parts(text, field, shape, PROJECT_PATTERN, RESOURCE_PATTERN))

    @classmethod
    def resolve(cls, text: str, *, project: str, field: str) -> Self:
        """Read a resource name, or a bare id within `project`; raises InvalidName with `field`."""
        if "/" in text:
            return cls.parse(text, field=field)
        return cls(project, _check(InvalidName, field, text, RESOURCE_PATTERN))


class DatasetName(_ProjectResource):
    """`projects/{project}/datasets/{dataset}`."""

    __slots__ = ()
    collection = "datasets"


class ModelName(_ProjectResource):
    """`projects/{project}/models/{model}`."""

    __slots__ = ()
    collection = "models"


@dataclass(frozen=True, slots=True)
class ModelVersionName:
    """`projects/{project}/models/{model}/versions/{version}`; the version may be an id, a number or `latest`."""

    project: str
    model_id: str
    version: str

    @property
    def name(self) -> str:
        """The resource name."""
        return f"projects/{self.project}/models/{self.model_id}/versions/{self.version}"

    @property
    def model(self) -> ModelName:
        """The model that it is a version of."""
        return ModelName(self.project, self.model_id)

    @classmethod
    def parse(cls, text: str, *, field: str = "name") -> Self:
        """Read a resource name; raises InvalidName with `field`."""
        shape = "projects/{project}/models/{model}/versions/{version}"
        return cls(*_parts(text, field, shape, PROJECT_PATTERN, RESOURCE_PATTERN, VERSION_PATTERN))


@dataclass(frozen=True, slots=True)
class HostName:
    """`hosts/{host}`."""

    host_id: str

    @property
    def name(self) -> str:
        """The resource name."""
        return f"hosts/{self.host_id}"

    @classmethod
    def parse(cls, text: str, *, field: str = "name") -> Self:
        """Read a resource name; raises InvalidName with `field`."""
        return cls(*_parts(text, field, "hosts/{host}", HOST_PATTERN))


def _parts(text: str, field: str, shape: str, *patterns: str) -> tuple[str, ...]:
    pieces = iter(patterns)
    regex = re.sub(r"\{[^}]+\}", lambda _: f"({next(pieces)})", shape)
    found = _compiled(regex).fullmatch(text)
    if found:
        return found.groups()
    message = f"{echo(text)} is not a name of the form {shape}"
    allowed = f"{shape}, where the parts follow {', '.join(patterns)}"
    raise InvalidName(message, violations=[Violation(field, InvalidName.reason, message, allowed)])
