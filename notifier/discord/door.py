"""Who may use the bot: the owner, in direct messages, once for each interaction. Everything else hears nothing."""

from collections import Counter, OrderedDict
from dataclasses import dataclass
from enum import StrEnum

from headway.runtime.logs import get_logger

_log = get_logger(__name__)

MAX_REMEMBERED = 2000


class Refusal(StrEnum):
    """Why something is ignored."""

    IN_A_SERVER = "in_a_server"
    BY_A_BOT = "by_a_bot"
    BY_A_STRANGER = "by_a_stranger"
    NOT_DIRECT = "not_direct"
    REPLAYED = "replayed"
    NO_COMMAND = "no_command"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who uses the bot, and where.

    Attributes:
        user_id: by which alone people are told apart: names can be anybody's.
        is_bot: whether it is a bot or a webhook.
        is_in_server: whether it comes from a server.
        is_direct: whether it comes from the bot's own direct messages with that person.
    """

    user_id: int
    is_bot: bool
    is_in_server: bool
    is_direct: bool


def refusal_of(caller: Caller, owner_id: int) -> Refusal | None:
    """Why this caller is ignored; None for the owner in direct messages. Pure."""
    if caller.is_in_server:
        return Refusal.IN_A_SERVER
    if caller.is_bot:
        return Refusal.BY_A_BOT
    if caller.user_id != owner_id:
        return Refusal.BY_A_STRANGER
    return None if caller.is_direct else Refusal.NOT_DIRECT


class Door:
    """Lets the owner in, remembers what was acted on, and counts the rest."""

    def __init__(self, owner_id: int) -> None:
        self.owner_id = owner_id
        self.ignored: Counter[Refusal] = Counter()
        self._acted_on: OrderedDict[int, None] = OrderedDict()

    def admits(self, caller: Caller, interaction_id: int) -> bool:
        """Whether to act on an interaction; a second time it is not."""
        refusal = refusal_of(caller, self.owner_id)
        if refusal is None and interaction_id in self._acted_on:
            refusal = Refusal.REPLAYED
        if refusal is not None:
            self.ignore(refusal)
            return False
        self._acted_on[interaction_id] = None
        while len(self._acted_on) > MAX_REMEMBERED:
            self._acted_on.popitem(last=False)
        return True

    def ignore(self, refusal: Refusal) -> None:
        """Count, and say so in the log at 1, 2, 4, 8 ... of a sort: a crowd must not fill it."""
        self.ignored[refusal] += 1
        number = self.ignored[refusal]
        if number & (number - 1) == 0:
            _log.info("ignored without an answer", why=refusal.value, num_ignored=number)
