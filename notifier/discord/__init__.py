"""The Discord bot: one owner, direct messages only."""
