"""The ids of buttons: what they mean is in the id, so that a button works behind a restart of the bot. Pure."""

from dataclasses import dataclass

from headway.contract.errors import InvalidName
from headway.contract.ids import JobName
from notifier.discord.card import Button, Look
from notifier.discord.run_view import RunView

PAUSE, RESUME, CANCEL, CONFIRM = "pause", "resume", "cancel", "confirm"
_PREFIX = "hw"
_OF_A_JOB = frozenset({PAUSE, RESUME, CANCEL})
_WITH_CONFIRMATION = 3
_WITH_JOB = 4


@dataclass(frozen=True, slots=True)
class Press:
    """What a pressed button asks for.

    Attributes:
        verb: PAUSE, RESUME, CANCEL or CONFIRM.
        job: of which job; None for CONFIRM.
        ticket: of which question; empty unless CONFIRM.
    """

    verb: str
    job: JobName | None = None
    ticket: str = ""


def button_id(verb: str, job: JobName) -> str:
    """Exactly within Discord's 100 characters: 10 for the words, 63 for a project, one colon, 26 for a job."""
    return f"{_PREFIX}:{verb}:{job.project}:{job.job_id}"


def parse(custom_id: str) -> Press | None:
    """What the id means; None when it is none of ours."""
    parts = custom_id.split(":")
    if parts[0] != _PREFIX:
        return None
    if len(parts) == _WITH_CONFIRMATION and parts[1] == CONFIRM and parts[2].isalnum():
        return Press(CONFIRM, ticket=parts[2])
    if len(parts) != _WITH_JOB or parts[1] not in _OF_A_JOB:
        return None
    try:
        return Press(parts[1], job=JobName.parse(JobName(parts[2], parts[3]).name))
    except InvalidName:
        return None


def buttons_of(view: RunView) -> tuple[Button, ...]:
    """What can be done with a run in its state."""
    cancel = Button("Cancel", button_id(CANCEL, view.name), Look.DANGER)
    match view.state:
        case "QUEUED" | "RUNNING":
            return (Button("Pause", button_id(PAUSE, view.name)), cancel)
        case "PAUSING" | "PAUSED":
            return (Button("Resume", button_id(RESUME, view.name), Look.PRIMARY), cancel)
    return ()


def confirm_button(ticket: str) -> Button:
    """The one that really cancels."""
    return Button("Yes, cancel it", f"{_PREFIX}:{CONFIRM}:{ticket}", Look.DANGER)
