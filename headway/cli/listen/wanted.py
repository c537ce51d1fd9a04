"""Which events a listener wants, as a pattern for the server and as a question for each event; pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from headway.cli.listen.event_names import HOST, TRAIN, all_types, family_of, short_name
from headway.cli.listen.heard import HeardEvent
from headway.contract.ids import JobName, check_project_id
from headway.contract.subjects import subject_token


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a listener asked for.

    Attributes:
        types: of events.
        project: empty for every one.
        job: its id; empty for every one.
    """

    types: frozenset[str]
    project: str = ""
    job: str = ""

    def subject(self) -> str | None:
        """The narrowest pattern that has them all; None where only everything has."""
        families = {family_of(event_type) for event_type in self.types}
        names = {short_name(event_type).partition(".")[2] for event_type in self.types}
        is_everything = self.types == all_types() and not (self.project or self.job)
        if is_everything or (HOST in families and len(families) > 1):
            return None
        start = f"trainer.{_one(families)}.{_one(names)}.v1"
        if families == {HOST}:
            return f"{start}.*"
        project = subject_token(self.project) if self.project else "*"
        return f"{start}.{project}.{self.job if self.job and families == {TRAIN} else '*'}"

    def takes(self, event: HeardEvent) -> bool:
        """Whether this event is wanted."""
        tokens = event.subject.split(".")
        is_of_type = ".".join(tokens[:4]) in self.types
        is_of_project = not self.project or (len(tokens) == 6 and tokens[4] == subject_token(self.project))
        # A model's subject names the model; the job is in its data.
        is_of_job = not self.job or self.job in {tokens[-1], event.run_id}
        return is_of_type and is_of_project and is_of_job


def wanted_of(types: Iterable[str], project: str | None, job: str) -> Wanted:
    """What the options ask for.

    Args:
        types: of events; those of hosts are left out where a project or job is named, since they belong to none.
        project: None for every one.
        job: an id or a full name, which brings its project with it; empty for every one.

    Raises:
        InvalidName: the project or the job can be none.
        ValueError: nothing can ever match.
    """
    if project:
        check_project_id("project", project)
    if job:
        named = JobName.parse(job if "/" in job else f"projects/{project or 'any'}/jobs/{job}", field="job")
        project, job = (named.project if "/" in job else project), named.job_id
    is_narrow = bool(project or job)
    kept = frozenset(event_type for event_type in types if not (is_narrow and family_of(event_type) == HOST))
    if not kept:
        raise ValueError("a host belongs to no project and no job; leave out --project and --job")
    return Wanted(kept, project or "", job)


def _one(words: set[str]) -> str:
    return next(iter(words)) if len(words) == 1 else "*"
