"""Who and what there is in this Discord: the application and its bot, its owner, others, and their channels."""

from collections.abc import Mapping
from dataclasses import dataclass

from headway.testing.discord.errors import unknown
from headway.testing.discord.keeping import Kept
from headway.testing.discord.payloads import Json, User
from headway.testing.discord.snowflakes import Snowflakes

PRIVATE_CHANNEL = 1
TEXT_CHANNEL = 0


@dataclass(slots=True)
class World:
    """Everybody who is known, and the direct channels of the bot.

    Attributes:
        bot: the application's own user; its id is the application's, too.
        owner: whose direct messages the bot may use.
        stranger: somebody else.
        impostor: a bot that bears the owner's name.
        guild_id: of the one server.
        guild_channel_id: of its one channel.
        channels: the bot's direct channel with each user id.
    """

    bot: User
    owner: User
    stranger: User
    impostor: User
    guild_id: str
    guild_channel_id: str
    channels: dict[str, str]

    @property
    def users(self) -> Mapping[str, User]:
        """Everybody by id."""
        return {user.id: user for user in (self.bot, self.owner, self.stranger, self.impostor)}

    def user(self, user_id: str) -> User:
        """Somebody.

        Raises:
            ApiError: 404, code 10013.
        """
        found = self.users.get(user_id)
        if found is None:
            raise unknown("User", 10013)
        return found

    def channel_of(self, user: User) -> str:
        """The bot's direct channel with somebody; always the same one."""
        return self.channels[user.id]

    def describe_channel(self, channel_id: str) -> Json:
        """A channel as Discord shows it.

        Raises:
            ApiError: 404, code 10003.
        """
        if channel_id == self.guild_channel_id:
            return {"id": channel_id, "type": TEXT_CHANNEL, "name": "general", "guild_id": self.guild_id, "position": 0}
        for user_id, found in self.channels.items():
            if found == channel_id:
                recipient = self.user(user_id).to_json()
                return {"id": channel_id, "type": PRIVATE_CHANNEL, "recipients": [recipient], "last_message_id": None}
        raise unknown("Channel", 10003)


def make_world(ids: Snowflakes, owner_id: str) -> World:
    """A world with an owner of this id."""
    owner = User(id=owner_id, username="owner", global_name="Owner")
    stranger = User(id=ids.next(), username="stranger", global_name="Stranger")
    impostor = User(id=ids.next(), username="owner", global_name="Owner", bot=True)
    return World(
        bot=User(id=ids.next(), username="headway", bot=True),
        owner=owner,
        stranger=stranger,
        impostor=impostor,
        guild_id=ids.next(),
        guild_channel_id=ids.next(),
        channels={user.id: ids.next() for user in (owner, stranger, impostor)},
    )


def world_of(kept: Kept) -> World:
    """The world that was kept."""
    return World(
        bot=kept.bot,
        owner=kept.owner,
        stranger=kept.stranger,
        impostor=kept.impostor,
        guild_id=kept.guild_id,
        guild_channel_id=kept.guild_channel_id,
        channels=dict(kept.channels),
    )
