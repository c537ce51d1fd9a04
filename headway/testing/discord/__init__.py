"""A Discord on loopback that the real discord.py logs in to: REST, gateway, the owner's messages, limits and faults."""
