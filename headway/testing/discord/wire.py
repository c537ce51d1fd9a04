"""An interaction as the gateway shows it to a bot."""

from headway.testing.discord.interaction import Interaction, InteractionKind
from headway.testing.discord.payloads import Json, User

_GUILD = 0
_BOT_DM = 1
_ATTACHMENT_BYTES = 10 * 1024 * 1024


def describe_interaction(interaction: Interaction, channel: Json, bot: User, owner: User) -> Json:
    """The data of INTERACTION_CREATE."""
    described: Json = {
        "id": interaction.id,
        "application_id": bot.id,
        "type": int(interaction.kind),
        "token": interaction.token,
        "version": 1,
        "data": interaction.data,
        "channel": channel,
        "channel_id": interaction.channel_id,
        "locale": "en-US",
        "entitlements": [],
        "authorizing_integration_owners": {"1": owner.id},
        "attachment_size_limit": _ATTACHMENT_BYTES,
        "app_permissions": "562949953601536",
        "context": _BOT_DM if interaction.guild_id is None else _GUILD,
    }
    if interaction.kind is InteractionKind.COMPONENT and interaction.message is not None:
        described["message"] = interaction.message.to_wire(bot)
    if interaction.guild_id is None:
        return {**described, "user": interaction.user.to_json()}
    return {
        **described,
        "guild_id": interaction.guild_id,
        "guild_locale": "en-US",
        "guild": {"id": interaction.guild_id, "locale": "en-US", "features": []},
        "member": {
            "user": interaction.user.to_json(),
            "roles": [],
            "joined_at": "2026-01-01T00:00:00+00:00",
            "deaf": False,
            "mute": False,
            "flags": 0,
            "permissions": "562949953601536",
        },
    }
