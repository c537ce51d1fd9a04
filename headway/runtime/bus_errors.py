"""What can go wrong on the bus, beyond what callers of headway see."""

from headway.contract.errors import StoreUnavailable


class StreamMissing(StoreUnavailable):
    """The stream does not exist, or JetStream is still starting; nothing was written."""


class OutcomeUnknown(StoreUnavailable):
    """The request was sent and no answer came; whether it took effect is unknown."""


class SequenceConflict(Exception):
    """A publish expected another last sequence of its subject; nothing was written."""


class MessageTooLarge(ValueError):
    """A message or subject over the server's bound; sending it would close the connection for good."""
