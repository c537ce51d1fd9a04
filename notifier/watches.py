"""Which jobs the owner follows closely. Pure: wishes in, watches out.

Either every job is watched but some, or none but some. Both lists are bounded; a job that has ended needs no wish.
"""

from dataclasses import dataclass, replace

MAX_JOBS = 500
"""In each list; beyond it the oldest wish is forgotten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watches:
    """What the owner has asked for.

    Attributes:
        is_watching_all: every job is watched, but those in `unwatched`.
        watched: names of jobs asked for one by one, the oldest wish first.
        unwatched: names of jobs that the owner does not want, the oldest wish first.
    """

    is_watching_all: bool
    watched: tuple[str, ...] = ()
    unwatched: tuple[str, ...] = ()

    def is_watched(self, job_name: str) -> bool:
        """Whether the owner follows this job."""
        if job_name in self.unwatched:
            return False
        return self.is_watching_all or job_name in self.watched

    def watch(self, job_name: str) -> "Watches":
        """Follow this job."""
        return replace(self, watched=_with(self.watched, job_name), unwatched=_without(self.unwatched, job_name))

    def unwatch(self, job_name: str) -> "Watches":
        """Follow this job no more, although all may be followed."""
        return replace(self, watched=_without(self.watched, job_name), unwatched=_with(self.unwatched, job_name))

    def watch_all(self, is_watching_all: bool) -> "Watches":  # noqa: FBT001 - the one thing that it says
        """Follow every job from now on, whatever was unwatched; or only those asked for one by one."""
        return replace(self, is_watching_all=is_watching_all, unwatched=())

    def forget(self, job_name: str) -> "Watches":
        """The job has ended."""
        return replace(self, watched=_without(self.watched, job_name), unwatched=_without(self.unwatched, job_name))


def _with(names: tuple[str, ...], name: str) -> tuple[str, ...]:
    return (*_without(names, name), name)[-MAX_JOBS:]


def _without(names: tuple[str, ...], name: str) -> tuple[str, ...]:
    return tuple(kept for kept in names if kept != name)
