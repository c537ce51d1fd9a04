"""The scheduler's settings."""

from pydantic import Field

from headway.runtime.settings import ListenAddress, Section, SharedSettings


class SchedulerSection(Section):
    """Table `[scheduler]`, environment `HEADWAY_SCHEDULER__...`."""

    listen: ListenAddress = ListenAddress("127.0.0.1:7071")
    """Where hosts and the gateway reach it."""

    lease_seconds: float = Field(default=15.0, ge=1.0, le=3600.0)
    """How long a silent host is believed in; it speaks five times in that time. Lower moves jobs from dead hosts
    sooner, and takes a busy machine or a slow network for a death. Recommended: 15 on one machine or site, 60 across
    the internet."""

    leader_lease_seconds: float = Field(default=5.0, ge=1.0, le=600.0)
    """With several schedulers one leads and the others stand by. One that could not say for so long that it leads,
    because it is dead, frozen or cut off, is followed by another. Lower is sooner; a leader that a busy machine holds
    up for longer loses its place, which costs a moment and no job."""

    advertised_address: str = ""
    """host:port under which hosts and the gateway know this scheduler, told to those that ask a standby; `listen` when
    empty."""


class SchedulerSettings(SharedSettings):
    """Everything that the scheduler reads at start."""

    scheduler: SchedulerSection = SchedulerSection()
