import re

import pytest
from google.protobuf.descriptor import FileDescriptor

from headway.contract.errors import HeadwayError
from tests.contract import aip
from tests.contract.proto_files import enums, headway_protos, messages, methods


@pytest.fixture(scope="module")
def files() -> list[FileDescriptor]:
    return headway_protos()


def test_the_protos_are_found(files: list[FileDescriptor]) -> None:
    """Every other test here would pass on an empty list."""
    assert len(list(methods(files))) > 20
    assert len(list(messages(files))) > 50
    assert len(list(enums(files))) > 5


@pytest.mark.parametrize("rule", aip.RULES, ids=lambda rule: rule.__name__)
def test_the_protos_keep_the_rule(rule: aip.Rule, files: list[FileDescriptor]) -> None:
    assert list(rule(files)) == []


def test_every_file_belongs_to_the_one_package(files: list[FileDescriptor]) -> None:
    assert {file.package for file in files} == {"headway.v1"}


def test_services_live_in_files_of_their_own_name(files: list[FileDescriptor]) -> None:
    misplaced = [file.name for file in files if file.services_by_name and not file.name.endswith("_service.proto")]
    assert misplaced == []


def test_every_reason_is_fit_for_error_info_and_names_one_error() -> None:
    """AIP-193: UPPER_SNAKE_CASE, at most 63 characters; a client tells errors apart by nothing else."""
    errors = _subclasses(HeadwayError)
    # A finer class for our own code may share the reason of its parent; the wire does not tell them apart.
    reasons = [error.reason for error in errors if "reason" in vars(error)]
    unfit = [reason for reason in reasons if not re.fullmatch(r"[A-Z][A-Z0-9_]{0,61}[A-Z0-9]", reason)]
    assert unfit == []
    assert sorted(set(reasons)) == sorted(reasons)
    assert len(errors) > 10


def _subclasses(error: type[HeadwayError]) -> list[type[HeadwayError]]:
    return [found for child in error.__subclasses__() for found in (child, *_subclasses(child))]
