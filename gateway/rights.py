"""What a key may see: one wording for what is missing and for what is forbidden, so that neither can be told apart."""

from headway.contract.errors import NotFound, PermissionDenied
from headway.runtime.principal import Principal


def require_project(principal: Principal, project: str) -> None:
    """Refuse a call on a project that the key has no right on.

    Raises:
        PermissionDenied: the words are the same for a project that nobody has ever used.
    """
    if not principal.may_touch(project):
        raise PermissionDenied("the key has no right on this project, or the project does not exist")


def no_such_job() -> NotFound:
    """The one answer for a job that does not exist and for one that the key may not see."""
    return NotFound("the job does not exist, or the key has no right on its project")
